"""What a visitor sees, whoever answers: the page's elements, looks, words and scripts.

In come files that a visitor gives, and an asker: an object that takes a photo and gives back a
Prediction or a problem (`types.d.ts` says which). Out comes a page that is true to its visit.
Nothing here knows a host, and no script imports one from outside this folder.

    markup.html, page.css   elements and looks
    noscript.html           what a browser without JavaScript shows
    page.js                 the page of those elements
    choosing.js             chosen, dropped, pasted, photographed: files
    types.d.ts              the shapes that scripts hand to each other; no visitor gets them
    visit.js                the photos of one visit, each with its state and answer
    problem.js              what an asker throws: why there is no Prediction
    reader.js               files, read by a worker of their own:
    photo_worker.js           the worker
    photo.js                  a file as what its host wants, upright and no larger than need be
    limits.js                 how much one photo may cost
    header.js                 a picture's kind and size, off its first bytes
    whole.js                  a file's bytes: is the whole of a picture there
    upright.js                the EXIF that is heeded here, and by no browser
    pixels.js                 whether this browser shows a page what its canvases hold
    decode.js                 a file as a picture, of no more pixels than are wanted
    strips.js                 a picture's pixels, some rows at a time
    reduce.js                 averages of boxes, exactly those of Pillow's reduce
    answer.js               a Prediction as a sentence and bars
    words.js                every sentence, in five languages
    translate.js            the words that elements have from the start
    saving.js               answers as text, JSON, CSV
    document.py             a host's HTML with the page in it
    bundle.py               the scripts as one, for hosts that hand out or take one
    pictures.py             small pictures of photos that a browser may not open
    title.py                the author's title and introduction, off a notebook's first cell
    gallery.py              the author's folder of examples: thumbnails, and a photo's bytes
"""

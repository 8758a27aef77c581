"""The page on the visitor's own device: static files, with the model in them.

In come a compiled model and the author's title; out goes a folder that any static host serves.
In the browser, in comes a photo; out goes a Prediction, and nothing leaves the device.

    build.py        the door: puts the folder together
    index.html, manifest.webmanifest, package.json   what it fills in, and the runtime it pins
    app.js          the page: sentences and bars of what the worker tells
    messages.d.ts   what page and worker say to each other
    worker.js       everything heavy: the model, and each photo's way through it
    download.js     model and runtime: kept, or fetched, unpacked and checked
    photo.js        a file as upright pixels and a preview, or a sentence
    header.js       a picture's size, off its first bytes
    reduce.js       averages of boxes, exactly those of Pillow's reduce
    prediction.js   probabilities as the Prediction that prediction.py makes
    errors.js       whatever was thrown as a sentence, and whether trying again helps
    sw.js           the page without a network, and a new deployment when there is one
"""

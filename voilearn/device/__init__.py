"""The page on the visitor's own device: static files, with the model in them.

In come a compiled model and the author's words and examples; out goes a folder that any static host
serves. In the browser, in comes a photo; out goes a Prediction, and nothing leaves the device.

    build.py        the door: puts the folder together
    index.html, manifest.webmanifest   what it fills in
    large.py        model and runtime, packed and named by what is in them
    npm.py          the runtime and the decoder of HEIC photos; package.json pins them
    examples.py     the author's example photos, as the page fetches them
    bare_jpeg.py      one without its EXIF, and with the same pixels
    icon.py         the icon of the page as an app
    page.js         the page of what the build wrote, with its asker
    asker.js        asks the worker, and tells what it does before it can answer
    messages.d.ts   what the build writes, and what page and worker say to each other
    lean.py         the runtime with only the functions that models call; called.json names them
    worker.js       everything heavy: the model, and each photo's way through it
    download.js     model, runtime, decoder: kept, or fetched, unpacked and checked
    heic.js         a HEIC photo's picture, where the browser can't open it
    prediction.js   probabilities as the Prediction that prediction.py makes
    scope.js        calibrated probabilities, and what is out of scope, as Python has them
    errors.js       whatever was thrown as a sentence, and whether trying again helps
    sw.js           the page without a network, and a new deployment when there is one
"""

"""The model behind HTTP: what an app calls, with a page for everybody, or for this machine's pages.

In come the path of a model and who may ask; out goes a server that answers photos with Predictions,
shows the page, swaps its model when the file is replaced, and refuses at once what it has no place
for.

    serve.py            the service as a process
    this_machine.py     the same for this machine's own pages, gone when idle
    in_browser.py       the same for its page alone, which it opens in a browser
    connections.py      a connection's bytes, within bounds of size and time
    request_log.py      each request's id, times, log line and count
    addresses.py        an address as the routes have it, and HEAD as GET
    origins.py          pages of other origins that may ask
    app.py              make_app: the ASGI application, /v1, health
    problems.py         every error as a problem
    request_body.py     a request's photo: counted, timed, in memory only
    form.py             the photo in a form
    sent_instead.py     what came in the place of a photo, and how to send one
    content_coding.py   what came in gzip or deflate, up to a limit
    service.py          who may ask, and what each is given in its turn
    work_queue.py       the line: a place in it, or that there is none
    live_model.py       the model in service, and its successor
    shadow.py           a second model, whose answers are only counted
    v2_routes.py        the routes under /v2, of the Open Inference Protocol
    v2_protocol.py      what that protocol says of photos and answers
    page.py             the page's files as they are sent, and the author's examples
    index.html          its first words, around what page/ has
    page_routes.py      the routes of the page
    open_pages.py       who has the page open, and what they are told
    page.js             the page of this service, in a browser
    token.js, token.css the token of a visitor, and the form that asks for it
    asker.js            photos to the service, and whether it is there
    events.js           what the service tells an open page
    framed.js           the page in a frame of another one
    embed.js            that frame, for any web page
    metrics.py          Prometheus's text
    json_log.py         log records as lines of JSON, or of text
    openapi.py          the application's OpenAPI document
"""

"""The page in a notebook: a widget that any front end shows, and Voilà's page of it.

In comes a `Classify`; out goes the page, whose photos come as messages and are asked about in a
thread, one after the other. Its asker talks to this kernel.

    widget.py         Page(classify): messages of photos in, answers out
    upload.py         pieces of a file from the browser, joined
    widget.js         the page in a notebook's front end
    messages.d.ts     what page and kernel say to each other
    asker.js          the kernel as an asker; within seconds, that nobody is there
    voila.js          the page as Voilà serves it, and its kernel's successor
    kernel.js         a kernel behind Voilà, over a websocket
    start_voila.py    `make page`: Voilà, which says its address and what goes wrong
    page_kernels.py   a kernel that ends when its page is gone without a goodbye
    server_log.py     the cause, where Jupyter's own words leave it open
    voila/templates   how Voilà writes the page: what needs no kernel first

The template is our own because Voilà's brings JupyterLab's widget manager, 5 MB in 100 requests, to
show any widget. It puts a hash into each script's address, so that a browser keeps them for years
and never mixes two releases. How long kernels live is in voila.json and .jupyter/: one is kept warm
for the next visitor; a page's own is ended two minutes after its connection is gone
(page_kernels.py); one that heard nothing for 10 minutes is ended, by a standalone `voila` even
where a connection seems open, for a page that died while it connected would keep it for ever. A
Jupyter Server leaves connected kernels alone: they may be somebody's notebook.
"""

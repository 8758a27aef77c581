"""Name the cause in the server's log where what Jupyter says of it leaves a reader guessing.

In come log records; out go the same, with a sentence more.
"""

import logging

OTHER_HOST = (
    ". If both are this page, a proxy between them changes the Host header: have it pass that on "
    "(nginx: proxy_set_header Host $http_host). docs/page.md has the lines."
)


def name_cause(record: logging.LogRecord) -> bool:
    """Say why a request of the page itself may be taken for another site's; keep every record."""
    if str(record.msg).startswith("Blocking Cross Origin"):
        record.msg = f"{record.msg}{OTHER_HOST}"
    return True

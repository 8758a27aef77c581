"""Ask a service, as a `Classify`: this machine's own, or one elsewhere.

In comes the path of a model, or VOILEARN_URL; out goes a `Classify` that sends each photo over
HTTP. Only the standard library is needed, so a page's kernel stays small.

    this_machine.py   `connect`: joins this machine's service for a model, or starts it
    remote.py         a service's address as a Classify; errors become ours again
"""

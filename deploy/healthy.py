"""Say whether the server in this container is alive: exit 0, or 1."""

import os
import sys
import urllib.error
import urllib.request

PORT = os.environ.get("PORT", "8000")


def main() -> int:
    """Ask the service, or where there is a page alone, Voilà."""
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy
        with direct.open(f"http://127.0.0.1:{PORT}/healthz", timeout=4):
            return 0
    except urllib.error.HTTPError as error:
        return int(error.code >= 500)  # Voilà has no such address, and answers
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())

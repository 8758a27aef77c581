"""Run the command line with `python -m voilearn`, nothing installed."""

import sys

from voilearn.cli import main

if __name__ == "__main__":
    sys.exit(main())

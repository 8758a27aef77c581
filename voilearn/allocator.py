"""Give memory back to the system that Python has let go of, and the C library still keeps.

In: nothing; out: nothing. A photo's pixels come and go in large blocks between small ones that
stay, so a process that has looked at a photo keeps megabytes for ever, unless it is told not to.
"""

import ctypes
import functools
import sys
from collections.abc import Callable


def trim() -> None:
    """Give back what is free, where the C library can (glibc's `malloc_trim`); some 1 ms."""
    _trimmer()()


@functools.cache
def _trimmer() -> Callable[[], object]:
    if sys.platform == "linux":
        try:
            malloc_trim = ctypes.CDLL(None).malloc_trim
        except (OSError, AttributeError):  # musl has none
            pass
        else:
            return functools.partial(malloc_trim, 0)
    return lambda: None

"""Paths where no export is: pipes, devices, folders, links to nowhere, and names of all kinds."""

import os
import socket
from pathlib import Path

from tests.attacks.workshop import Workshop, attack


@attack()
def pipe(shop: Workshop) -> Path:
    """A named pipe: whoever opens it waits for a writer for ever."""
    path = shop.folder / "export.pkl"
    os.mkfifo(path)
    return path


@attack()
def pipe_by_a_link(shop: Workshop) -> Path:
    """A link to a named pipe."""
    os.mkfifo(shop.folder / "pipe")
    return linked(shop, shop.folder / "pipe")


@attack()
def bytes_without_end(shop: Workshop) -> Path:
    """A device that gives zeros for ever."""
    return linked(shop, Path("/dev/zero"))


@attack()
def randomness_without_end(shop: Workshop) -> Path:
    """A device that gives anything for ever."""
    return linked(shop, Path("/dev/urandom"))


@attack()
def terminal(shop: Workshop) -> Path:
    """The terminal, or whatever stands for it."""
    return linked(shop, Path("/dev/tty"))


@attack()
def standard_input(shop: Workshop) -> Path:
    """What is typed."""
    return linked(shop, Path("/dev/stdin"))


@attack()
def memory_of_the_process(shop: Workshop) -> Path:
    """A file whose length is nothing, and which can be read all the same."""
    return linked(shop, Path("/proc/self/mem"))


@attack()
def length_unknown(shop: Workshop) -> Path:
    """The same, with some bytes to read."""
    return linked(shop, Path("/proc/self/environ"))


@attack()
def listening_socket(shop: Workshop) -> Path:
    """A socket, which is in the folder like a file."""
    path = shop.folder / "export.pkl"
    here = Path.cwd()
    os.chdir(shop.folder)  # its path may have 100 letters at most
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)
    return path


@attack()
def loop_of_links(shop: Workshop) -> Path:
    """A link to itself."""
    return linked(shop, shop.folder / "export.pkl")


@attack()
def link_to_nowhere(shop: Workshop) -> Path:
    """A link to a file that is not there."""
    return linked(shop, shop.folder / "gone")


@attack()
def folder(shop: Workshop) -> Path:
    """A folder of that name."""
    path = shop.folder / "export.pkl"
    path.mkdir()
    return path


@attack()
def folder_like_a_file(shop: Workshop) -> Path:
    """A path that goes on behind a file."""
    (shop.folder / "file").write_bytes(shop.good)
    return shop.folder / "file" / "export.pkl"


@attack()
def name_too_long(shop: Workshop) -> Path:
    """A name that no file can have."""
    return shop.folder / ("a" * 5000)


@attack()
def name_with_an_end(shop: Workshop) -> Path:
    """A name with a zero in it, where C ends."""
    return shop.folder / "export\0.pkl"


@attack()
def path_of_controls(shop: Workshop) -> Path:
    """A name that a terminal would obey, of a file that is no export."""
    path = shop.folder / "\x1b[2J\n.pkl"
    path.write_bytes(b"no export")
    return path


@attack()
def name_that_is_no_text(shop: Workshop) -> Path:
    """A name of bytes that are no UTF-8, which Python shows as halves of characters."""
    path = shop.folder / os.fsdecode(b"\xff\xfe.pkl")
    path.write_bytes(b"no export")
    return path


def linked(shop: Workshop, to: Path) -> Path:
    path = shop.folder / "export.pkl"
    path.symlink_to(to)
    return path

"""Ports for the servers of tests, which no other program gets in the meantime.

In comes nothing; out goes a number. Between the look at a port and the server's own, the system
may give it to any program that asks for one, and another test may find it free as well.
"""

import secrets
import socket

# below those that a system gives to who asks for any (from 32768 on), above what browsers refuse
FIRST, LAST = 11_000, 32_000
_HELD: list[socket.socket] = []


def free_port() -> int:
    """Return a port at which nobody listens; it is this process's until that ends.

    Other tests' processes, whichever environment they are in, see so by the UDP port of the same
    number.
    """
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)  # and not random's, which tests seed
        sign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sign.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            sign.close()
            continue
        _HELD.append(sign)
        return port

"""What goes back over the socket, well-behaved or not. Each function may raise OSError: the sender left."""

from __future__ import annotations

import socket
import struct
import threading
from http import HTTPStatus

_CHUNK = 65_536


def encode(
    status: int, body: bytes, headers: dict[str, str] | None = None, *, closing: bool = False
) -> bytes:
    """A whole HTTP/1.1 answer; ``text/plain`` unless ``headers`` say otherwise."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    told = {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(body)),
        **(headers or {}),
        **({"Connection": "close"} if closing else {}),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode("latin-1", "replace") + body


def drip(connection: socket.socket, payload: bytes, every: float, stopping: threading.Event) -> bool:
    """Send one byte every ``every`` seconds; False if the server stopped before the last."""
    for index in range(len(payload)):
        if stopping.wait(every):
            return False
        connection.sendall(payload[index : index + 1])
    return True


def flood(connection: socket.socket, size: int, *, announced: int) -> None:
    """Send ``size`` of the ``announced`` bytes of a body that begins ``ok`` and goes on with blanks.

    Whoever strips the body before comparing it, or reads it to its end, is found out.
    """
    head = encode(200, b"", {"Content-Length": str(announced)})
    connection.sendall(head + b"ok"[:size])
    left = size - 2
    while left > 0:
        connection.sendall(b" " * min(left, _CHUNK))
        left -= _CHUNK


def reset(connection: socket.socket) -> None:
    """Close so that the peer gets RST, not FIN. Other references to the socket must be closed already."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()

"""A fast endpoint: says ok, and remembers which orders came, how often and when.

    python -m benchmarks.sink PORT

``GET /count`` tells {"posts": …, "last": time of the latest}; ``GET /record`` also {"distinct": …};
``GET /arrivals`` the time of each order; ``DELETE /`` forgets; ``PUT /`` with {"delay": seconds,
"hang": connector} makes it slow from then on, for all or for one.
It must cost a tenth of the cheapest contender or less: what arrived is read only when somebody asks.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

_ORDER = re.compile(rb'"connectorName":\s*"([^"]*)".*?"clientOrderId":\s*"([^"]*)"')
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
HANG_SECONDS = 60.0


@dataclass
class Book:
    arrived: list[tuple[float, bytes]] = field(default_factory=list)
    delay: float = 0.0
    hang: bytes = b""

    def orders(self) -> list[tuple[bytes, float]]:
        return [(_name(body), at) for at, body in self.arrived]

    def wait(self, body: bytes) -> float:
        if self.hang and (found := _ORDER.search(body)) and found[1] == self.hang:
            return HANG_SECONDS
        return self.delay

    def answer(self, head: bytes, body: bytes) -> object:
        """To those who ask; POSTs never come here."""
        if head.startswith(b"DELETE"):
            self.arrived.clear()
        if head.startswith(b"PUT"):
            wanted = json.loads(body)
            self.delay, self.hang = wanted.get("delay", 0.0), wanted.get("hang", "").encode()
        if head.startswith(b"GET /arrivals"):
            return {name.decode(): at for name, at in self.orders()}
        told: dict[str, object] = {
            "posts": len(self.arrived),
            "last": self.arrived[-1][0] if self.arrived else 0.0,
        }
        if head.startswith(b"GET /record"):
            told["distinct"] = len(Counter(name for name, _ in self.orders()))
        return told


def _name(body: bytes) -> bytes:
    found = _ORDER.search(body)
    return b"/".join(found.groups()) if found else body


class Sink(asyncio.Protocol):
    def __init__(self, book: Book) -> None:
        self._book = book
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n") + 4) > 3:
            at = buffer.find(b"ontent-Length: ", 0, end)
            stop = end + int(buffer[at + 15 : buffer.index(b"\r", at)]) if at >= 0 else end
            if len(buffer) < stop:
                break
            self._request(buffer[:end], buffer[end:stop])
            buffer = buffer[stop:]
        self._buffer = buffer

    def _request(self, head: bytes, body: bytes) -> None:
        book = self._book
        if head.startswith(b"POST"):
            book.arrived.append((time.time(), body))
            if book.delay or book.hang:
                asyncio.get_running_loop().call_later(book.wait(body), self._write, _OK)
            else:
                self._write(_OK)
        else:
            text = json.dumps(book.answer(head, body)).encode()
            self._write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


async def main() -> None:
    book = Book()
    server = await asyncio.get_running_loop().create_server(
        lambda: Sink(book), "127.0.0.1", int(sys.argv[1]), backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop  # only here: the rest is tested without what `make bench` installs

    uvloop.run(main())

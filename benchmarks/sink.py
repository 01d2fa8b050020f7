"""A fast endpoint: says ok, and remembers which orders came how often.

    python -m benchmarks.sink PORT

``GET /`` tells {"posts": …, "distinct": …}; ``DELETE /`` forgets.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter

ORDER = re.compile(rb'"connectorName":\s*"([^"]*)".*?"clientOrderId":\s*"([^"]*)"')
LENGTH = re.compile(rb"[Cc]ontent-[Ll]ength: (\d+)")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"

seen: Counter[bytes] = Counter()


class Sink(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            found = LENGTH.search(head)
            stop = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < stop:
                return
            body, self._buffer = self._buffer[end + 4 : stop], self._buffer[stop:]
            self._transport.write(self._answer(head, body))  # type: ignore[attr-defined]

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"POST"):
            found = ORDER.search(body)
            seen[b"/".join(found.groups()) if found else body] += 1
            return OK
        if head.startswith(b"DELETE"):
            seen.clear()
        text = json.dumps({"posts": seen.total(), "distinct": len(seen)}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

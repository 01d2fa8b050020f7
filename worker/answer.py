"""Reads the answer to a POST, under the deadline of its exchange.

Statuses and bodies are read by ``http.client``. Not so the fields between them: for these it has a parser of
mail, which took a quarter of a worker's time. And after fewer answers than there a connection may be used
again, because what is left on it would be read as the answer to the next order.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from typing import Any, NamedTuple

from worker.exchange import Exchange

_LONGEST_HEAD = 65_536
"""Bytes of an answer's head that are read, at most."""
_MOST_LINES = 100
_END_OF_HEAD = (b"\r\n", b"\n", b"")
_LENGTH_DIGITS = 18
_INTERIM = frozenset(range(100, 200)) - {101}
_WITHOUT_BODY = (101, 204, 304)
_CLOSING = ("HTTP/1.0", "HTTP/0.9")
"""Versions after whose answers a connection is not used again."""


class Head(NamedTuple):
    """What stands between the status and the body."""

    fields: dict[str, str]
    """By name in lower case; of a name that comes again, all values with commas between."""
    length: int | None
    """What Content-Length says, if it can be understood."""
    doubtful: bool
    """A line was no field: what else the server may have meant nobody knows."""


def read_head(lines: io.BufferedIOBase) -> Head:
    """The fields of an answer, up to the empty line. Raises HTTPException.

    A line that is no field is passed over, so that what the answer says counts, but the connection is not
    used again.
    """
    fields: dict[str, str] = {}
    doubtful = False
    name, size, count = "", 0, 0
    while (line := lines.readline(_LONGEST_HEAD - size + 1)) not in _END_OF_HEAD:
        size, count = size + len(line), count + 1
        if size > _LONGEST_HEAD or count > _MOST_LINES:
            raise http.client.HTTPException("endless head")
        if line[0] in b" \t" and name:
            fields[name] += f" {line.decode('latin-1').strip()}"  # RFC 9112, 5.2: folded
            continue
        before, colon, after = line.decode("latin-1").partition(":")
        if not colon or not before or before != before.strip():
            doubtful, name = True, ""
            continue
        name, value = before.lower(), after.strip()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Head(fields, _length(fields.get("content-length")), doubtful)


def _length(text: str | None) -> int | None:
    if text is None:
        return None
    said = {one.strip() for one in text.split(",")}
    if len(said) > 1:
        raise http.client.HTTPException("more than one length")  # so nobody knows where it ends
    one = said.pop()
    return int(one) if one.isascii() and one.isdigit() and len(one) <= _LENGTH_DIGITS else None


class _TimedIO(io.RawIOBase):
    """A socket's reading side; every read waits no longer than the deadline allows."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock = sock
        self._exchange = exchange
        self._ended = False

    def end(self) -> None:
        """Give nothing more; what the socket still holds is left there."""
        self._ended = True

    def holds_more(self) -> bool:
        """Whether more has been received and deciphered, where no look at the socket would find it."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What ``http.client`` asks of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._ended:
            return 0
        self._exchange.bound(self._sock)
        return self._sock.recv_into(buffer)


class Answer(http.client.HTTPResponse):
    """An answer that is read as it comes; raises what ``http.client`` does."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._wire = _TimedIO(sock, exchange)
        self._trailed = False
        super().__init__(self._wire, method="POST")  # type: ignore[arg-type]
        self.begin()

    def begin(self) -> None:
        """Read everything before the body, as ``http.client`` does by the same name."""
        version, self.status, self.reason = self._read_status()  # type: ignore[attr-defined]
        head = read_head(self.fp)
        # http.client passes over 100 only. After a 103 taken for the answer, the answer proper would be read
        # as that to the next order.
        while self.status in _INTERIM:
            version, self.status, self.reason = self._read_status()  # type: ignore[attr-defined]
            head = read_head(self.fp)
        if not version.startswith(("HTTP/1.", "HTTP/0.9")):
            raise http.client.UnknownProtocol(version)
        self.fields = head.fields
        self.chunked = self.fields.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        self.length = 0 if self.status in _WITHOUT_BODY else None if self.chunked else head.length
        # Without a length the body lasts until the connection ends.
        endless = self.length is None and not self.chunked
        closing = version in _CLOSING or "close" in self.fields.get("connection", "").lower()
        self.will_close = endless or closing
        self._doubtful = head.doubtful or (self.chunked and "content-length" in self.fields)

    def _close_conn(self) -> None:
        self._wire.end()
        # What came along behind it answers nothing, and the rest of that would be read as the next answer.
        self._trailed = bool(self.fp.peek(1)) or self._wire.holds_more()
        super()._close_conn()  # type: ignore[misc]

    def read_up_to(self, limit: int) -> bytes:
        """The body; of a longer one, ``limit`` bytes and one more."""
        chunks, size = [], 0
        while size <= limit and (chunk := self.read(limit + 1 - size)):
            chunks.append(chunk)
            size += len(chunk)
        said = b"".join(chunks)
        if size <= limit and self.length:
            raise http.client.IncompleteRead(said, self.length)
        return said

    @property
    def reusable(self) -> bool:
        """Whether it was of the plain kind after which a connection may be used again, and is read whole."""
        plain = 200 <= self.status <= 299 and not self.will_close and not self._doubtful
        return plain and self.isclosed() and not self._trailed

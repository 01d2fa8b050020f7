"""Reads the answer to a POST, under the deadline of its exchange.

Statuses and bodies are read by ``http.client``. Not so the fields between them: for these it has a parser of
mail, which took a quarter of a worker's time. And after fewer answers than there a connection may be used
again, because what is left on it would be read as the answer to the next order.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
from collections.abc import Iterable
from typing import Any, NamedTuple

from worker.exchange import Exchange

Fields = dict[str, list[str]]
"""Values by name; names in lower case, values in the order in which they came."""

_LONGEST_HEAD = 65_536
"""Bytes of an answer's head that are read, at most."""
_MOST_LINES = 100
_LENGTH_DIGITS = 18
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_INTERIM = frozenset(range(100, 200)) - {101}
_WITHOUT_BODY = (101, 204, 304)
_CLOSING = ("HTTP/1.0", "HTTP/0.9")
"""Versions after whose answers a connection is not used again."""


class Head(NamedTuple):
    """What stands between the status and the body."""

    fields: Fields
    doubtful: bool
    """Others may read something else in it."""


class Body(NamedTuple):
    """Where a body ends: as its chunks tell, after a length, or, without one, with the connection."""

    chunked: bool
    length: int | None
    doubtful: bool
    """Others may see the end somewhere else."""


def read_head(lines: io.BufferedIOBase) -> Head:
    """The fields of an answer, up to the empty line. Raises HTTPException.

    A line that is no field is passed over, so that what the answer says counts, but the connection is not
    used again.
    """
    fields: Fields = {}
    last: list[str] | None = None
    doubtful = False
    size = count = 0
    while (line := lines.readline(_LONGEST_HEAD - size + 1)) not in (b"\r\n", b"\n"):
        size, count = size + len(line), count + 1
        if not line:
            raise http.client.IncompleteRead(b"")
        if size > _LONGEST_HEAD or count > _MOST_LINES:
            raise http.client.HTTPException("endless head")
        doubtful |= b"\r" in line[:-2]
        text = line.decode("latin-1")
        if text[0] in " \t" and last:
            last[-1] += f" {text.strip()}"  # RFC 9112, 5.2: folded
            continue
        name, colon, value = text.partition(":")
        if colon and _NAME(name):
            last = fields.setdefault(name.lower(), [])
            last.append(value.strip())
        else:
            last, doubtful = None, True
    return Head(fields, doubtful)


def body_of(status: int, fields: Fields) -> Body:
    """Where the body of an answer ends. Raises HTTPException if it says two different things."""
    length = _length(fields.get("content-length", ()))
    codings = [
        one.strip().lower() for value in fields.get("transfer-encoding", ()) for one in value.split(",")
    ]
    if status in _WITHOUT_BODY:
        return Body(False, 0, bool(codings or length))
    if not codings:
        return Body(False, length, False)
    doubtful = codings != ["chunked"] or "content-length" in fields
    chunked = set(codings) == {"chunked"}
    return Body(chunked, None if chunked else length, doubtful)


def _length(values: Iterable[str]) -> int | None:
    said = {one.strip() for value in values for one in value.split(",")} - {""}
    if len(said) > 1:
        raise http.client.HTTPException("more than one length")  # so nobody knows where it ends
    one = said.pop() if said else ""
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
        doubtful, self.status = False, 100
        # http.client passes over 100 only. After a 103 taken for the answer, the answer proper would be read
        # as that to the next order.
        while self.status in _INTERIM:
            version, self.status, self.reason = self._read_status()  # type: ignore[attr-defined]
            self.fields, more_doubt = read_head(self.fp)
            doubtful |= more_doubt
        if not version.startswith(("HTTP/1.", "HTTP/0.9")):
            raise http.client.UnknownProtocol(version)
        body = body_of(self.status, self.fields)
        self.chunked, self.chunk_left, self.length = body.chunked, None, body.length
        endless = not body.chunked and body.length is None
        closing = any("close" in value.lower() for value in self.fields.get("connection", ()))
        self.will_close = endless or closing or version in _CLOSING
        self._doubtful = doubtful or body.doubtful

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:  # http.client would read to the end of the connection, however much there is
            raise http.client.HTTPException("not a size of a chunk")
        return size

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

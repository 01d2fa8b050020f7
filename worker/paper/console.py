"""The pages beside the webhook: what arrived, what it led to, and the rules of misbehaviour.

GET  /                    overview: JSON, or HTML for those who accept it
GET  /receipts            ?since=N&limit=M&connector=X: masked receipts with a number above N
GET  /connectors/<name>   one connector with its last instructions
GET  /mischief            the rules; POST replaces them
GET  /healthz             ok
DELETE /receipts          forget receipts, orders and positions
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from worker.errors import SettingsError
from worker.paper import views, wire
from worker.paper.mischief import Mischief

if TYPE_CHECKING:
    from worker.paper.server import Listener

MAX_BODY = 1_048_576  # bytes; signals have a few hundred


class Console(BaseHTTPRequestHandler):
    """Answers one connection's requests for pages; the state is in ``server.desk``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer held back for an ACK would look like 40 ms of latency
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Nothing: the receipts are the log."""

    def do_GET(self) -> None:
        self.read_body()
        parts = urlsplit(self.path)
        self.get(parts.path, parts.query)

    def do_POST(self) -> None:
        self.post(urlsplit(self.path).path)

    def do_DELETE(self) -> None:
        self.read_body()
        self.delete(urlsplit(self.path).path)

    def get(self, path: str, query: str) -> None:
        """Show a page."""
        pages: dict[str, Callable[[], None]] = {
            "/": self._index,
            "/healthz": lambda: self.answer(200, b"ok"),
            "/mischief": self._show_mischief,
            "/receipts": lambda: self._receipts(query),
        }
        if path.startswith("/connectors/"):
            self._connector(unquote(path.removeprefix("/connectors/")))
        else:
            pages.get(path, self._not_found)()

    def post(self, path: str) -> None:
        """Replace the rules of misbehaviour."""
        body = self.read_body()
        if path == "/mischief":
            self._set_mischief(body)
        else:
            self._not_found()

    def delete(self, path: str) -> None:
        """Start afresh."""
        if path == "/receipts":
            self.server.desk.reset()
            self.answer(200, b"ok")
        else:
            self._not_found()

    def _index(self) -> None:
        desk = self.server.desk
        summary = desk.summary()
        if not views.prefers_html(self.headers.get("Accept", "")):
            self._json(summary)
            return
        page = views.page(summary, desk.newest(50))
        self.answer(200, page.encode("utf-8", "replace"), views.HTML_HEADERS)

    def _receipts(self, query: str) -> None:
        asked = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        since, limit = asked.get("since", "0"), asked.get("limit", "100")
        if not all(text.isascii() and text.isdigit() and len(text) < 16 for text in (since, limit)):
            self.answer(400, b"since and limit are whole numbers\n")
            return
        self._json(self.server.desk.views(int(since), int(limit), asked.get("connector")))

    def _connector(self, name: str) -> None:
        account = self.server.desk.account(name)
        if account is None:
            self._not_found()
        else:
            self._json(account)

    def _show_mischief(self) -> None:
        self._json({"rules": self.server.desk.mischief.as_json()})

    def _set_mischief(self, body: bytes) -> None:
        try:
            self.server.desk.mischief = Mischief.from_json(json.loads(body))
        except SettingsError as error:
            self.answer(400, f"{error}\n".encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            self.answer(400, b"mischief: the body is not valid JSON\n")
        else:
            self._show_mischief()

    def _not_found(self) -> None:
        self.answer(404, b"not found\n")

    def _json(self, data: Any) -> None:
        payload = views.to_json(data).encode("utf-8", "replace")
        self.answer(200, payload, {"Content-Type": "application/json"})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer in one write; raises OSError if the sender left."""
        self.connection.sendall(wire.encode(status, body, headers, closing=self.close_connection))

    def body_length(self) -> int | None:
        """The body's announced length in bytes; None if it is missing or beyond reason."""
        text = self.headers.get("Content-Length", "")
        if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) > MAX_BODY:
            return None
        return int(text)

    def receive(self, length: int) -> bytes:
        """Up to ``length`` bytes; fewer if the sender leaves in the middle."""
        raw = b""
        try:
            while len(raw) < length:
                piece = self.rfile.read1(length - len(raw))
                if not piece:
                    break
                raw += piece
        except OSError:
            pass
        return raw

    def read_body(self) -> bytes:
        """The body of a request that is not a signal; one that cannot be read ends the connection."""
        length = self.body_length() if "Content-Length" in self.headers else 0
        raw = self.receive(length or 0)
        if length is None or len(raw) < length or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        return raw

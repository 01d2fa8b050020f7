"""A stand-in for the Crypto Arsenal webhook: for demonstrations, tests and rehearsals."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import ThreadingHTTPServer
from itertools import count
from socketserver import TCPServer
from typing import Any, Self

from worker.errors import SettingsError
from worker.paper.book import Book
from worker.paper.desk import Desk
from worker.paper.handler import WEBHOOK_PATH, Handler
from worker.paper.mischief import Mischief
from worker.paper.receipts import Receipt

_STOP_SECONDS = 5.0
_log = logging.getLogger(__name__)


class Listener(ThreadingHTTPServer):
    """The listening socket and the open connections, which :meth:`hang_up` can end."""

    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, host: str, port: int, desk: Desk) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.desk = desk
        self.stopping = threading.Event()
        self._numbers = count(1)
        self._open: dict[Any, int] = {}
        self._all_closed = threading.Condition()
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks the host's name up, which can take seconds and is used nowhere here.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Register the connection before its thread exists, so that :meth:`hang_up` misses none."""
        with self._all_closed:
            self._open[request] = next(self._numbers)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection and forget it."""
        super().shutdown_request(request)
        with self._all_closed:
            self._open.pop(request, None)
            self._all_closed.notify_all()

    def number_of(self, connection: Any) -> int:
        """A number that tells which requests shared a connection."""
        return self._open[connection]

    def hang_up(self) -> None:
        """End all connections; returns when their handlers are done, or after 5 s."""
        deadline = time.monotonic() + _STOP_SECONDS
        with self._all_closed:
            while self._open and time.monotonic() < deadline:
                for connection in self._open:
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
                self._all_closed.wait(0.1)

    def handle_error(self, *_: Any) -> None:
        """A sender that goes away is no event; anything else is a bug worth a traceback in the log."""
        if not isinstance(sys.exception(), OSError):
            _log.exception("a request to the paper endpoint failed")


class PaperServer:
    """The paper endpoint. It listens from construction on and answers from :meth:`start` on.

    ``latency`` is (least, most) seconds before each answer. ``tokens`` are the known connectors':
    a wrong token for one of them is answered 401, unknown connectors may use any. The same ``seed``
    gives the same misbehaviour. Beyond ``max_receipts`` the oldest receipts are forgotten (one takes
    about a kilobyte). Raises SettingsError if it cannot listen there. To be used once: after
    :meth:`stop` build a new one (on the same port, if the outage is to end).
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        mischief: Mischief | None = None,
        latency: tuple[float, float] = (0, 0),
        tokens: Mapping[str, str] | None = None,
        seed: int | None = None,
        max_receipts: int = 1_000_000,
    ) -> None:
        if not 0 <= latency[0] <= latency[1]:
            raise SettingsError(f"latency {latency}: expected two numbers of seconds, the smaller first")
        self._desk = Desk(
            mischief=mischief or Mischief(),
            latency=latency,
            tokens=tokens or {},
            seed=seed,
            max_receipts=max_receipts,
        )
        try:
            self._listener = Listener(host, port, self._desk)
        except (OSError, OverflowError) as error:
            raise SettingsError(f"the paper endpoint cannot listen on {host}:{port}: {error}") from None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        host = str(self._listener.server_address[0])
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - recognised, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def webhook_url(self) -> str:
        """Where signals are posted to."""
        return self.url + WEBHOOK_PATH

    @property
    def receipts(self) -> list[Receipt]:
        """A new list of what has arrived, in order of arrival."""
        return self._desk.receipts

    @property
    def book(self) -> Book:
        """The live book, up to the present; :meth:`wait_until` reads it without a race."""
        return self._desk.book

    @property
    def mischief(self) -> Mischief:
        """The rules in force; setting them starts their counts afresh."""
        return self._desk.mischief

    @mischief.setter
    def mischief(self, mischief: Mischief) -> None:
        self._desk.mischief = mischief

    def reset(self) -> None:
        """Forget receipts, orders, positions and rule counts; the rules stay."""
        self._desk.reset()

    def start(self) -> None:
        """Answer from now on, in threads of its own."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._listener.serve_forever, args=(0.05,), name="paper-endpoint", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop listening, end all connections (hanging ones too) and wait for them, at most 5 s."""
        self._listener.stopping.set()
        if self._thread is not None and self._thread.is_alive():
            self._listener.shutdown()
        self._listener.server_close()
        self._listener.hang_up()

    def serve_forever(self) -> None:
        """Serve until :meth:`stop` is called elsewhere or an exception (Ctrl-C) ends the wait."""
        self.start()
        try:
            # A plain wait would hold an interpreter lock that a signal handler calling stop() needs too.
            while not self._listener.stopping.is_set():
                time.sleep(0.1)
        finally:
            self.stop()

    def wait_until(self, done: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait until ``done()`` holds; False after ``timeout`` seconds. Nothing arrives while it is asked."""
        return self._desk.wait_until(done, timeout)

    def wait_for_receipts(self, least: int, timeout: float = 10.0) -> list[Receipt]:
        """The receipts once there are at least so many; TimeoutError after ``timeout`` seconds."""
        if not self._desk.wait_until(lambda: len(self.receipts) >= least, timeout):
            raise TimeoutError(f"{len(self.receipts)} of {least} receipts after {timeout} s")
        return self.receipts

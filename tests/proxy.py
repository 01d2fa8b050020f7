"""A TCP proxy between the house and its server that loses what it is told to."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class LossyProxy:
    """Passes everything on, but now and then swallows an answer and ends that connection.

    The server has then done what it was asked, and the client does not know: the hardest kind of loss.
    """

    def __init__(self, port: int, *, seed: int = 1) -> None:
        self.loses = 0.0
        """Share of answers that are swallowed; may be changed at any time."""
        self.lost = 0
        self.target = port
        """Where new connections lead; may be changed at any time."""
        self._chance = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._swallowed: set[socket.socket] = set()
        self._frozen = False
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def freeze(self) -> None:
        """From now on nothing comes through and nothing is closed, as when a firewall forgets connections."""
        self._frozen = True
        self._swallowed.update(self._open)

    def thaw(self) -> None:
        """New connections work again; those from before stay dead without either end being told."""
        self._frozen = False

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            _end(one)
        for thread in self._threads:
            thread.join(5)
        for one in self._open:
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self._open += [client, server]
            if self._frozen:
                self._swallowed.update((client, server))
            for source, sink, answers in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink, answers))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if source in self._swallowed:
                    continue
                if answers and self._chance.random() < self.loses:
                    self.lost += 1
                    break
                sink.sendall(data)
        if source not in self._swallowed:
            _end(source)
            _end(sink)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)

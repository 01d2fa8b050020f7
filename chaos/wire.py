"""A TCP proxy between the house and its server that does what networks do at their worst."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""Linger for no time: the peer is sent RST, not FIN."""


class Wire:
    """Passes everything on, until told otherwise. Every method may be called from any thread.

    A swallowed answer is the hardest kind of loss: the server has done what it was asked, and the client
    does not know. A frozen wire delivers after it is thawed, when the sender may have long given up.
    """

    def __init__(self, port: int, *, seed: int = 1) -> None:
        """``port``: of the server, on loopback."""
        self.loses = 0.0
        """Share of answers that are swallowed, each with its connection; may be changed at any time."""
        self.delay = 0.0
        """Seconds that every chunk takes longer; may be changed at any time."""
        self.lost = 0
        self.port = 0
        self.target = port
        """Where new connections lead, on loopback; may be changed at any time."""
        self._chance = random.Random(seed)
        self._open: set[asyncio.StreamWriter] = set()
        self._forgotten: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()
        self._listening.wait(5)

    def cut(self) -> None:
        """End all connections at once, with RST."""
        self._call(self._cut)

    def freeze(self) -> None:
        """Hold everything back from now on, in both directions; nobody is told."""
        self._call(self._flows.clear)

    def thaw(self) -> None:
        """Let it pass again, what was held back first."""
        self._call(self._flows.set)

    def forget(self) -> None:
        """Let nothing through any more on the connections there are, as a firewall does that forgets them.

        Neither end is told; new connections work.
        """
        self._call(lambda: self._forgotten.update(self._open))

    def heal(self) -> None:
        """Pass everything on again."""
        self.loses = self.delay = 0.0
        self.thaw()

    def close(self) -> None:
        self._call(self._stop)
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, act: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # closed already
            self._loop.call_soon_threadsafe(act)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listener = self._loop.run_until_complete(asyncio.start_server(self._connect, "127.0.0.1", 0))
        self.port = int(listener.sockets[0].getsockname()[1])
        self._listening.set()
        self._loop.run_forever()
        listener.close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    def _stop(self) -> None:
        self._cut()
        self._loop.stop()

    def _cut(self) -> None:
        for one in self._open:
            one.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            one.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._open.add(client)
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            self._end(client)
            return
        self._open.add(server)
        with suppress(
            asyncio.CancelledError
        ):  # at the very end; asyncio would write its trace to the terminal
            await asyncio.gather(
                self._pass_on(reader, server, client, answers=False),
                self._pass_on(answers, client, server, answers=True),
            )

    async def _pass_on(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        other: asyncio.StreamWriter,
        *,
        answers: bool,
    ) -> None:
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._flows.wait()
                if sink in self._forgotten:
                    continue
                if self.delay:
                    await asyncio.sleep(self.delay)
                if answers and self._chance.random() < self.loses:
                    self.lost += 1
                    break
                sink.write(data)
                await sink.drain()
        if sink not in self._forgotten:
            self._end(sink)
            self._end(other)

    def _end(self, one: asyncio.StreamWriter) -> None:
        one.transport.abort()
        self._open.discard(one)

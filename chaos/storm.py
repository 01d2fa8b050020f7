"""Does to the house what the plan says, heals it, and waits until it has worked everything off."""

from __future__ import annotations

import heapq
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from os import kill
from typing import Protocol

import redis

from chaos.endpoint import CALM, MOOD, OVERLOAD
from chaos.history import Deed
from chaos.house import House
from chaos.launch import PREFIX
from chaos.plan import Fault
from chaos.traffic import TOKEN_MARK
from demo.stack import NotInTime
from worker.lanes.redis import connect

INDEXES = ("lanes", "rung", "wakeups", "halted", "leases", "calendar", "armed")
MESSAGES = ("rings", "wakes")
_TICK = 0.05


class Watch(Protocol):
    """Whoever is told how far a run is."""

    def __call__(self, phase: str, done: float, of: float) -> None: ...


class Storm:
    """One run. ``deeds`` are the faults that were really done."""

    def __init__(self, house: House, watch: Watch) -> None:
        self._house = house
        self._watch = watch
        self._server_pid = 0
        self.deeds: list[Deed] = []
        self._acts: dict[str, tuple[Callable[[Fault], object], Callable[[Fault], object]]] = {
            "kill worker": (lambda f: house.pods[f.target].kill(), _nothing),
            "suspend worker": (self._suspend, self._resume),
            "suspend worker for longer than its lease": (self._suspend, self._resume),
            "stop worker": (lambda f: house.pods[f.target].stop(), _nothing),
            "roll worker": (lambda f: house.pods[f.target].roll(), _nothing),
            "kill sender": (lambda f: house.senders[f.target].kill(), _nothing),
            "kill server": (lambda _: house.server.kill(), lambda _: self._start_server()),
            "restart server": (lambda _: house.server.stop(), lambda _: self._start_server()),
            "suspend server": (
                lambda _: kill(self._server_pid, signal.SIGSTOP),
                lambda _: kill(self._server_pid, signal.SIGCONT),
            ),
            "pause clients": (self._pause_clients, _nothing),
            "drop clients": (lambda _: self._admin("CLIENT", "KILL", "TYPE", "NORMAL"), _nothing),
            "full memory": (lambda _: self._admin("CONFIG", "SET", "maxmemory", "1mb"), self._free_memory),
            "cut wire": (lambda f: house.wires[f.target].cut(), _nothing),
            "freeze wire": (lambda f: house.wires[f.target].freeze(), self._heal_wire),
            "freeze wire for longer than a lease": (
                lambda f: house.wires[f.target].freeze(),
                self._heal_wire,
            ),
            "lossy wire": (self._lose, self._heal_wire),
            "slow wire": (self._delay, self._heal_wire),
            "endpoint down": (lambda _: house.endpoint.stop(), lambda _: house.endpoint.start()),
            "endpoint overloaded": (
                lambda _: house.endpoint.behave(OVERLOAD),
                lambda _: house.endpoint.behave(MOOD),
            ),
        }

    def blow(self, faults: Sequence[Fault]) -> None:
        """Commit the faults, each at its time, and end each in its turn; all when the time is over."""
        self._remember_server()
        started = time.monotonic()
        seconds = self._house.size.seconds
        events: list[tuple[float, int, Fault, float | None]] = [
            (fault.at, number, fault, None) for number, fault in enumerate(faults)
        ]
        heapq.heapify(events)
        while (now := time.monotonic() - started) < seconds:
            while events and events[0][0] <= now:
                at, number, fault, began = heapq.heappop(events)
                if began is None:
                    began = time.time()
                    self._acts[fault.kind][0](fault)
                    heapq.heappush(events, (at + fault.lasts, number, fault, began))
                else:
                    self._end(fault, began)
            self._house.tick()
            self._watch("storm", min(now, seconds), seconds)
            time.sleep(_TICK)
        for *_, fault, began in sorted(events, key=lambda event: event[:2]):
            if began is not None:
                self._end(fault, began)

    def heal(self) -> None:
        """Make everything work again; what was done is done."""
        house = self._house
        for wire in house.wires.values():
            wire.heal()
        house.endpoint.start()
        house.endpoint.behave(CALM)

    def work_off(self, within: float) -> bool:
        """Wait until nothing is left to do; False after ``within`` seconds."""
        client, most = self._house.client, 1

        def idle() -> bool:
            nonlocal most
            with suppress(redis.RedisError):
                left = _left(client)
                most = max(most, left)
                self._watch("work off", most - left, most)
                return left == 0
            return False

        try:
            self._house.until(idle, within, "everything has ended")
        except NotInTime:
            return False
        return True

    def _end(self, fault: Fault, began: float) -> None:
        self._acts[fault.kind][1](fault)
        self.deeds.append(Deed(fault.kind, fault.target, began, time.time()))

    def _suspend(self, fault: Fault) -> None:
        self._house.pods[fault.target].suspend()

    def _resume(self, fault: Fault) -> None:
        self._house.pods[fault.target].resume()

    def _start_server(self) -> None:
        self._house.server.start()
        self._remember_server()

    def _remember_server(self) -> None:
        self._server_pid = int(self._house.client.info("server")["process_id"])

    def _admin(self, *command: str) -> None:
        with suppress(redis.RedisError):  # it may have cut us off too
            self._house.client.execute_command(*command)

    def _pause_clients(self, fault: Fault) -> None:
        what = "WRITE" if fault.lasts < 1 else "ALL"
        self._admin("CLIENT", "PAUSE", str(round(fault.lasts * 1000)), what)

    def _free_memory(self, _: Fault) -> None:
        self._house.client.config_set("maxmemory", "0")

    def _heal_wire(self, fault: Fault) -> None:
        self._house.wires[fault.target].heal()

    def _lose(self, fault: Fault) -> None:
        self._house.wires[fault.target].loses = 0.05

    def _delay(self, fault: Fault) -> None:
        self._house.wires[fault.target].delay = 0.1


class Eavesdropper:
    """Looks into the Celery messages all the while: a token in one of them is a leak."""

    def __init__(self, url: str) -> None:
        self.seen = 0
        self.leaks: set[str] = set()
        self._client = connect(url, timeout=1.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eavesdropper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)
        self._client.close()

    def _run(self) -> None:
        while not self._stopping.wait(0.1):
            with suppress(redis.RedisError):
                for queue in MESSAGES:
                    self._look(queue)

    def _look(self, queue: str) -> None:
        messages = self._client.lrange(f"{PREFIX}{queue}", 0, -1)
        self.seen += len(messages)
        if any(TOKEN_MARK.encode() in message for message in messages):
            self.leaks.add(f"a Celery message in {queue}")


def _nothing(_: Fault) -> None:
    """For faults that end by themselves."""


def _left(client: redis.Redis) -> int:
    """How much there still is to do: signals, and lanes and slots in any index."""
    counts = client.hmget(f"{PREFIX}counts", "waiting", "delayed")
    sizes = [client.hlen(PREFIX + one) if one == "leases" else client.zcard(PREFIX + one) for one in INDEXES]
    return sum(int(count or 0) for count in counts) + sum(map(int, sizes))

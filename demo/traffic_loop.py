"""Steady, mixed traffic of some accounts, so that dashboards have something to show.

python -m demo.traffic_loop --rate 5

Sends to SIGNALS_REDIS_URL, and a part of it over HTTP if ``--gateway`` names a gateway. Goes on until SIGTERM
or Ctrl-C. The accounts do not exist: point the workers to the paper endpoint.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import requests

from demo.traffic import FUTURES, SPOT
from producers import SignalProducer
from worker.errors import SignalsError

Message = dict[str, Any]

SHARE_OF_GATEWAY = 0.3
REST = 2.0
"""Seconds of waiting after Redis or the gateway could not be reached."""


class Traffic:
    """Makes signals for ever. The first connectors are much busier than the last."""

    def __init__(self, connectors: int, chance: random.Random) -> None:
        self._spot = frozenset(SPOT)
        more = [f"Copy {number}" for number in range(1, connectors)]
        self._names = [*FUTURES, *SPOT, *more][:connectors]
        self._weights = [1 / (place + 2) for place in range(len(self._names))]
        self._chance = chance
        self._number = 0
        self._run = f"{chance.getrandbits(32):08x}"
        self._kinds: dict[Callable[[str], list[Message]], float] = {
            self._entry: 45,
            self._exit: 25,
            self._delayed: 15,
            self._called_off: 3,
            self._everything_off: 2,
            self._sync: 4,
            self._twice: 3,
            self._conflict: 0.5,
            self._wrong: 1.5,
        }

    def next(self) -> list[Message]:
        """What an account sends at one time."""
        (name,) = self._chance.choices(self._names, self._weights)
        (kind,) = self._chance.choices(list(self._kinds), list(self._kinds.values()))
        return kind(name)

    def _entry(self, name: str) -> list[Message]:
        action = "buy" if name in self._spot else self._chance.choice(["openLong", "openShort"])
        return [self._order(name, action, fixed=self._size())]

    def _exit(self, name: str) -> list[Message]:
        action = "sell" if name in self._spot else self._chance.choice(["closeLong", "closeShort"])
        return [self._order(name, action, percent=self._chance.choice(["25", "50", "100"]))]

    def _delayed(self, name: str) -> list[Message]:
        return [
            {**entry, "delaySeconds": round(self._chance.uniform(0.5, 20), 2)} for entry in self._entry(name)
        ]

    def _called_off(self, name: str) -> list[Message]:
        (entry,) = self._delayed(name)
        cancel = self._signal(name, action="cancel", clientOrderId=entry["clientOrderId"])
        return [{**entry, "delaySeconds": 60}, cancel]

    def _everything_off(self, name: str) -> list[Message]:
        return [self._signal(name, action="cancelAll")]

    def _sync(self, name: str) -> list[Message]:
        if name in self._spot:
            return self._exit(name)
        size = self._chance.randint(1, 5)
        order = {"mode": "FixedAssetTrade", "value": 100, "size": size, "price": 27000.5}
        position = {"side": "long", "size": size, "prev_side": "flat", "prev_size": 0}
        return [self._signal(name, entryOrder=order, position=position)]

    def _twice(self, name: str) -> list[Message]:
        return self._entry(name) * 2

    def _conflict(self, name: str) -> list[Message]:
        (entry,) = self._entry(name)
        return [entry, {**entry, "fixed": "1000"}]

    def _wrong(self, name: str) -> list[Message]:
        return [self._signal(name, action="buy", fixed="{{strategy.order.contracts}}")]

    def _order(self, name: str, action: str, **fields: Any) -> Message:
        self._number += 1
        return self._signal(name, action=action, clientOrderId=f"demo-{self._run}-{self._number}", **fields)

    def _signal(self, name: str, **fields: Any) -> Message:
        token = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.demo"))
        return {"connectorName": name, "connectorToken": token, **fields}

    def _size(self) -> str:
        return f"{self._chance.randint(1, 400) / 1000}"


class Sender:
    """Sends signals by the library or over HTTP, and counts what is answered."""

    def __init__(self, producer: SignalProducer, gateway: str | None, chance: random.Random) -> None:
        self._producer = producer
        self._gateway = gateway
        self._chance = chance
        self._session = requests.Session()
        self.answers: Counter[str] = Counter()

    def send(self, messages: list[Message]) -> None:
        """Raises SignalsError or RequestException if nobody took them."""
        if self._gateway and self._chance.random() < SHARE_OF_GATEWAY:
            for message in messages:
                answer = self._session.post(self._gateway, json=message, timeout=10)
                self.answers[f"HTTP {answer.status_code}"] += 1
        else:
            self.answers.update(receipt.status.value for receipt in self._producer.send(messages))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.traffic_loop", description=__doc__)
    parser.add_argument("--rate", type=float, default=5.0, help="signals per second, on average")
    parser.add_argument("--connectors", type=int, default=20, help="accounts that send")
    parser.add_argument("--gateway", metavar="URL", help="webhook of a gateway, for a part of the signals")
    parser.add_argument("--seconds", type=float, help="end by itself after so long")
    parser.add_argument("--seed", type=int, help="the same one sends the same")
    options = parser.parse_args()
    if options.rate <= 0 or options.connectors < 1:
        parser.error("--rate and --connectors must be more than 0")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if options.seconds:
        threading.Timer(options.seconds, stopping.set).start()
    try:
        answers = run(options, stopping)
    except SignalsError as error:
        sys.exit(f"traffic: {error}")
    print("sent:", ", ".join(f"{count} {what}" for what, count in sorted(answers.items())) or "nothing")


def run(options: argparse.Namespace, stopping: threading.Event) -> Counter[str]:
    """Send until told to stop; how often each answer came."""
    chance = random.Random(options.seed)
    traffic = Traffic(options.connectors, chance)
    with SignalProducer() as producer:
        sender = Sender(producer, options.gateway, chance)
        while not stopping.wait(chance.expovariate(options.rate)):
            try:
                sender.send(traffic.next())
            except SignalsError as error:
                print(f"traffic: {error}; going on", flush=True)
                stopping.wait(REST)
            except requests.RequestException:
                print("traffic: the gateway does not answer; going on", flush=True)
                stopping.wait(REST)
    return sender.answers


if __name__ == "__main__":
    main()

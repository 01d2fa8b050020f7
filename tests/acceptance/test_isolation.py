"""One account's trouble stays its own: the other 99 go on while it hangs, is flooded or is refused.

Counts and states only, no times: while the trouble lasts, everything else has ended well.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from demo.stack import eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.paper import Mischief, PaperServer

TROUBLED, OTHERS, EACH = "acct-0", 99, 5
FLOOD = 5000
SETTINGS = {"entry_expiry": 600, "quantum_signals": 10, "log_level": "warning"}


def sells(connector: str, count: int) -> list[dict[str, object]]:
    who = {"connectorName": connector, "connectorToken": "token-for-tests"}
    return [{**who, "action": "sell", "fixed": "1", "clientOrderId": f"n-{n:05}"} for n in range(count)]


def others() -> list[dict[str, object]]:
    """The signals of the 99, in turns."""
    lanes = [sells(f"acct-{number}", EACH) for number in range(1, OTHERS + 1)]
    return [signal for turn in zip(*lanes, strict=True) for signal in turn]


def all_accepted(ledger: Ledger, ids: Iterable[str | None]) -> bool:
    pipeline = ledger.client.pipeline(transaction=False)
    for signal_id in ids:
        pipeline.hget(f"{ledger.prefix}signal:{signal_id}", "outcome")
    return set(pipeline.execute()) == {b"accepted"}


@pytest.mark.parametrize(
    ("mischief", "most", "threads"),  # as few as can do it, so that a place taken is felt
    [
        pytest.param("hang:connector=acct-0,seconds=60", 20, 2, id="hangs"),
        pytest.param("latency:connector=acct-0,min=0.02,max=0.02", FLOOD, 1, id="flooded"),
        pytest.param("hang:connector=acct-0,seconds=60", FLOOD, 2, id="flooded-and-hangs"),
        pytest.param("503:connector=acct-0", 20, 1, id="refused"),
        pytest.param("503:connector=acct-0,retry_after=0", FLOOD, 1, id="flooded-and-refused-at-once"),
    ],
)
def test_the_others_go_on(
    mischief: str, most: int, threads: int, workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer(mischief=Mischief.from_text(mischief)) as paper:
        # given: an account in trouble
        workers.start(paper.webhook_url, threads=threads, **SETTINGS)
        troubled = [one.id for one in producer.send(sells(TROUBLED, most))]
        paper.wait_for_receipts(1)
        # when
        fine = [one.id for one in producer.send(others())]
        # then: the others end well while it is still in trouble
        eventually(lambda: all_accepted(ledger, fine), within=40, what="the other 99 are served")
        still = ledger.client.llen(f"{ledger.prefix}lane:{TROUBLED}")
        assert still > 0
        assert ledger.record(troubled[-1])["state"] == "waiting"
        assert sum(one.connector != TROUBLED for one in paper.receipts) == OTHERS * EACH
        workers.running[0].kill()  # what still hangs is of no interest

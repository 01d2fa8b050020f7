"""What the senders send: repeatable, and what the traffic says about it is what the contract says."""

from __future__ import annotations

from itertools import islice

from chaos.traffic import Item, traffic
from worker.contract import Rules, effective_delay_ms, fingerprint, parse
from worker.errors import InvalidSignal
from worker.policy import Policy, action_of, classify, drops


def items(count: int) -> list[Item]:
    return [item for parcel in islice(traffic(1, 3), count) for item in parcel.items]


def test_a_seed_repeats_it() -> None:
    assert list(islice(traffic(7, 3), 300)) == list(islice(traffic(7, 3), 300))
    assert list(islice(traffic(7, 3), 300)) != list(islice(traffic(8, 3), 300))


def test_it_knows_what_it_sends() -> None:
    contents: dict[str, str] = {}
    for item in items(3000):
        try:
            signal = parse(item.signal("log"), Rules())
        except InvalidSignal:
            assert not item.valid
            continue
        assert item.valid
        told = (item.action_class, item.action, item.drops, round(item.delay * 1000))
        assert told == (
            classify(signal).value,
            action_of(signal),
            drops(signal, Policy()),
            effective_delay_ms(signal),
        )
        assert contents.setdefault(fingerprint(signal), item.content) == item.content


def test_it_has_something_of_everything() -> None:
    sent = items(1500)
    assert {item.action_class for item in sent} == {"entry", "partial", "full", "cancel"}
    assert any(item.key for item in sent)
    assert any(not item.valid for item in sent)
    assert any(item.order_id is None and item.action_class == "entry" for item in sent)
    held = [(item.connector, item.order_id) for item in sent if item.order_id]
    assert len(set(held)) < len(held), "some are sent twice"
    assert any(parcel.max_age for parcel in islice(traffic(1, 3), 300))

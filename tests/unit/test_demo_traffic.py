"""The traffic of the demo is what it is meant to be."""

from __future__ import annotations

import json
import random

import pytest

from demo.traffic_loop import Traffic
from worker.contract import Action, Rules, check, parse
from worker.errors import InvalidSignal


@pytest.mark.parametrize("connectors", [1, 3, 12, 20, 50])
def test_it_sends_for_as_many_connectors_as_asked_for(connectors: int) -> None:
    traffic = Traffic(connectors, random.Random(1))
    names = {one["connectorName"] for _ in range(5000) for one in traffic.next()}
    assert len(names) == connectors


def test_all_but_the_wrong_ones_are_valid_and_every_action_occurs() -> None:
    traffic = Traffic(20, random.Random(1))
    actions, wrong, total = set(), 0, 0
    for _ in range(3000):
        for message in traffic.next():
            total += 1
            try:
                signal = parse(json.dumps(message).encode(), Rules())
                check(signal, Rules())
                actions.add(message.get("action", "position"))
            except InvalidSignal:
                wrong += 1
                assert "{{" in message["fixed"], message
    assert {*map(str, Action), "position"} == actions
    assert 0 < wrong < 0.05 * total

"""A lane whose next head is dropped by what joins it while it is handed on."""

from __future__ import annotations

import redis

from demo.stack import eventually
from tests.integration.desk import Desk, signal
from worker.lanes import Deferral, Timing


def test_a_lane_that_is_handed_on_stays_leased(client: redis.Redis, prefix: str) -> None:
    # Given a lane in hand, an order behind its head, and a cancelAll that has fallen due
    desk = Desk(client, prefix, Timing())
    desk.admit(signal(), signal())
    head = desk.head()
    assert head is not None
    desk.admit(signal(action="cancelAll", action_class="cancel", delay_ms=1, drops="all"))
    due = client.zscore(f"{prefix}calendar", "acct") or 0.0
    eventually(lambda: float(client.time()[0]) * 1000 > due, within=5, what="it is due")
    # When the head ends, and the lane's next one is the cancelAll, which drops the order before it
    _, following = desk.settle(head, more=True)
    # Then its holder can pause for it and put it back
    assert following is not None
    assert following.action == "cancelAll"
    assert client.hget(f"{prefix}leases", "acct") == following.token.encode()
    assert desk.lanes.pause(["all"], label="x", by="test").in_flight == (following.id,)
    assert desk.lanes.defer([Deferral(following, 0)]).results == ("done",)

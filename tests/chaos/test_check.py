"""The judge finds each broken promise, and finds nothing where none was broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.check import check
from chaos.check.outcomes import SILENT
from chaos.history import Deed, Ending, Exit, Pause
from tests.chaos.histories import START, World, good

Break = Callable[[World], object]


def found(world: World) -> list[tuple[str, str | None]]:
    return [(one.rule, one.id) for one in check(world.history())]


def test_a_good_history_breaks_nothing() -> None:
    assert found(good()) == []


def ended(world: World, id_: str, *outcomes: str) -> None:
    """Have the stream tell these outcomes of a signal, and the right one of each other."""
    others = [one for one in world.history().endings if one.id != id_]
    at_ms = world.records[id_].ended_ms or 0
    world.endings = [*others, *(Ending(id_, outcome, at_ms) for outcome in outcomes)]


def lose_the_record(world: World) -> None:
    del world.records["busy"]
    world.arrivals = [one for one in world.arrivals if one.id != "busy"]


def admit_what_was_refused(world: World) -> None:
    world.signal("extra", at=2.5)
    world.arrival("extra", 2.6)
    world.send("extra", status="invalid", valid=False)


def free_before_it_was_refused(world: World) -> None:
    world.refusal("same", at=13, status="duplicate", content="late", order_id="order late", holder="late")


def admit_under_a_held_id(world: World) -> None:
    world.signal("second", at=35, order_id="order plain")
    world.arrival("second", 35.1)


def post_an_entry_twice(world: World) -> None:
    world.arrival("plain", 1.5)
    world.record("plain", attempts=2)


def post_a_close_without_end(world: World) -> None:
    for n in range(4):
        world.arrival("found", 31 + n, None)
    world.record("found", attempts=5, unknowns=4)


def hold(world: World, scope: str, began: float, ended: float) -> None:
    times = (START + began - 0.6, START + began - 0.5, START + ended, START + ended + 0.1)
    world.pauses.append(Pause(scope, *times))


def overtake(world: World) -> None:
    world.signal("held", at=32, connector="other acct")
    world.signal("leaves", at=32.2, connector="other acct", kind="full", action="closeShort")
    world.arrival("leaves", 32.4)
    world.arrival("held", 33.5)


def drop_overtaken(world: World) -> None:
    """A delayed close finds an open before it in its lane that was admitted after it."""
    close = {"kind": "full", "action": "closeLong", "drops": "openLong", "connector": "other acct"}
    world.signal("close", at=32, delay=1.0, **close)
    world.signal("open", at=32.5, connector="other acct", outcome="cancelled", ended=33.2, attempts=0)
    world.record("open", why="dropped by closeLong close")
    world.arrival("close", 33.3)


def post_what_a_person_dropped(world: World) -> None:
    world.record("unwanted", outcome="accepted", why="", ended_ms=1_000_046_500, attempts=1)
    world.arrival("unwanted", 46.2)


def swap_two(world: World) -> None:
    world.arrive(1, began=START + 3.7, ended=START + 3.8)


def overlap(world: World) -> None:
    world.arrive(2, began=START + 1.15, ended=START + 1.4)
    world.record("busy", admitted_ms=1_000_001_100, due_ms=1_000_001_100)
    world.send("busy", began=START + 1.05)


def post_what_was_dropped(world: World) -> None:
    world.record("dropped", outcome="accepted", why="", ended_ms=1_000_019_700)
    world.arrival("dropped", 19.5)


def post_a_whole_lane(world: World) -> None:
    world.signal("in flight", at=29)
    world.signal("all", at=30.05, kind="cancel", action="cancelAll", drops="all")
    world.record("in flight", seq=world.records["found"].seq)
    world.record("found", seq=world.records["found"].seq + 1)
    world.record("all", seq=world.records["found"].seq + 1)
    world.arrive(13, began=START + 30.3, ended=START + 30.4)
    world.arrival("in flight", 30.1)
    world.arrival("all", 30.5)


BREAKS: dict[str, tuple[Break, str, str | None]] = {
    # never lost
    "an accepted signal is unknown to the ledger": (lose_the_record, "lost", "busy"),
    "a refused signal is taken": (admit_what_was_refused, "refused and taken", "extra"),
    "a valid signal is called invalid": (
        lambda w: w.refusal("fine", at=2, status="invalid"),
        "judged wrongly",
        "fine",
    ),
    "an invalid signal is called a duplicate": (
        lambda w: w.send("twin", valid=False),
        "judged wrongly",
        "twin",
    ),
    "a conflict is called a duplicate": (
        lambda w: w.send("other", status="duplicate"),
        "refused wrongly",
        "other",
    ),
    "a duplicate of nothing": (lambda w: w.send("twin", holder="nobody"), "refused wrongly", "twin"),
    "a duplicate of what holds another id": (
        lambda w: w.send("twin", holder="busy"),
        "refused wrongly",
        "twin",
    ),
    "a duplicate of what had freed its id": (free_before_it_was_refused, "refused wrongly", "same"),
    "the ledger knows what nobody sent": (lambda w: w.sent.pop("late"), "stranger", "late"),
    "something arrives that nobody sent": (
        lambda w: w.arrivals.append(replace(w.arrivals[0], id="ghost", began=START + 50)),
        "stranger",
        "ghost",
    ),
    "something arrives that was refused before anybody heard": (
        lambda w: w.arrival("unheard", 31.5),
        "stranger",
        "unheard",
    ),
    "two signals under one id": (admit_under_a_held_id, "claimed twice", "second"),
    # one outcome, and a true one
    "a signal is left waiting": (
        lambda w: (w.record("late", state="waiting"),),
        "no outcome",
        "late",
    ),
    "two outcomes are told": (lambda w: ended(w, "plain", "accepted", "accepted"), "two outcomes", "plain"),
    "no outcome is told": (lambda w: ended(w, "plain"), "two outcomes", "plain"),
    "a worker is called silent before its lease is over": (
        lambda w: w.record("orphan", ended_ms=1_000_025_000),
        "judged too soon",
        "orphan",
    ),
    "a close is judged before its lease is over": (
        lambda w: w.record("again", history=(json.dumps({"until": 1_000_006_000, "why": SILENT}),)),
        "judged too soon",
        "again",
    ),
    "a late answer to what was judged too soon": (
        lambda w: ended(w, "plain", "unknown", "accepted"),
        "judged too soon",
        "plain",
    ),
    "accepted, but never received": (lambda w: w.arrivals.pop(0), "accepted of nothing", "plain"),
    "accepted, but never confirmed": (
        lambda w: w.arrive(1, text="fine"),
        "accepted of nothing",
        "plain",
    ),
    "rejected, but never refused": (
        lambda w: w.arrive(7, status=503),
        "rejected by nobody",
        "refused",
    ),
    "expired, but the endpoint may have it": (
        lambda w: (w.arrival("late", 10.1, None), w.record("late", attempts=1)),
        "denied",
        "late",
    ),
    "unsent, but the endpoint may have it": (lambda w: w.arrive(8, status=500), "denied", "stuck"),
    "cancelled by nobody": (lambda w: w.record("dropped", why=""), "cancelled by nobody", "dropped"),
    "cancelled by the cancel of another order": (
        lambda w: w.send("drop", target="order plain"),
        "cancelled by nobody",
        "dropped",
    ),
    "dropped by a person who was told that it was too late": (
        lambda w: w.drops.append(replace(w.drops.pop(0), status="sending")),
        "cancelled by nobody",
        "unwanted",
    ),
    "expired before its time": (
        lambda w: w.record("late", expires_ms=None) or w.send("late", max_age=None),
        "expired too soon",
        "late",
    ),
    "expired before it was stale": (
        lambda w: w.record("late", ended_ms=1_000_010_900),
        "expired too soon",
        "late",
    ),
    "cancelled by a close that had not overtaken it": (drop_overtaken, "cancelled by nobody", "open"),
    "given up too soon": (lambda w: w.record("stuck", attempts=2), "gave up too soon", "stuck"),
    "unknown without a cause": (lambda w: w.exits.clear(), "unknown without cause", "orphan"),
    "unknown although the endpoint answered well": (
        lambda w: w.record("before", outcome="unknown", state="dead"),
        "unknown without cause",
        "before",
    ),
    "an outcome that nobody can cause": (
        lambda w: w.record("elsewhere", outcome="invalid", state="finished"),
        "no such outcome",
        "elsewhere",
    ),
    # never twice
    "an entry is posted again after an ok": (post_an_entry_twice, "doubled", "plain"),
    "an entry is posted again after no answer": (
        lambda w: (w.arrival("hung", 8.2), w.record("hung", attempts=2)),
        "doubled",
        "hung",
    ),
    "a partial exit is posted again after a 500": (lambda w: w.arrive(2, status=500), "doubled", "busy"),
    "a close is posted again without end": (post_a_close_without_end, "repeated too often", "found"),
    "a POST that nobody noted": (lambda w: w.record("busy", attempts=1), "unnoted", "busy"),
    "a close is taken for an entry": (
        lambda w: w.record("found", action_class="entry"),
        "misread",
        "found",
    ),
    "something else is posted": (lambda w: w.arrive(1, intact=False), "garbled", "plain"),
    "it is posted to another account": (lambda w: w.arrive(1, connector="other acct"), "garbled", "plain"),
    # in order
    "a later signal goes first": (swap_two, "out of order", "plain"),
    "a delayed one goes before one admitted earlier": (
        lambda w: w.arrive(10, began=START + 18.3, ended=START + 18.4),
        "out of order",
        "before",
    ),
    "two of an account at once": (overlap, "two at once", "busy"),
    "posted although it was cancelled in time": (post_what_was_dropped, "not dropped", "dropped"),
    "posted although all was cancelled": (post_a_whole_lane, "not dropped", "found"),
    "an exit goes before an entry that nobody holds": (overtake, "out of order", "held"),
    "an exit goes before an entry while all is held": (
        lambda w: (overtake(w), hold(w, "all", 31.0, 32.3)),
        "out of order",
        "held",
    ),
    # obeyed
    "posted while all was paused": (lambda w: hold(w, "all", 20.0, 21.0), "disobeyed", "elsewhere"),
    "posted long after a worker stood still": (
        lambda w: (
            hold(w, "all", 20.0, 21.0),
            w.deeds.append(Deed("suspend worker", "pod-1", START + 17, START + 19)),
        ),
        "disobeyed",
        "elsewhere",
    ),
    "an entry posted while entries were paused": (
        lambda w: hold(w, "entries", 20.0, 21.0),
        "disobeyed",
        "elsewhere",
    ),
    "posted although a person has dropped it": (post_what_a_person_dropped, "drop forgotten", "unwanted"),
    "tried although a person has dropped it": (
        lambda w: (w.arrival("unwanted", 46.1, 503), w.record("unwanted", attempts=1)),
        "drop forgotten",
        "unwanted",
    ),
    # never early, never stale
    "posted before it is due": (
        lambda w: w.arrive(11, began=START + 17.9, ended=START + 17.95),
        "early",
        "delayed",
    ),
    "due before its delay is over": (
        lambda w: w.record("delayed", due_ms=1_000_017_500, expires_ms=1_000_037_500),
        "misdated",
        "delayed",
    ),
    "admitted before it was sent": (
        lambda w: w.send("elsewhere", began=START + 20.25),
        "misdated",
        "elsewhere",
    ),
    "an entry never expires": (lambda w: w.record("plain", expires_ms=None), "misdated", "plain"),
    "an entry goes out after it has expired": (
        lambda w: w.arrive(12, began=START + 41.0, ended=START + 41.1),
        "stale",
        "elsewhere",
    ),
    # the books
    "a sum is wrong": (
        lambda w: w.books.update(totals=w.history().books.totals | {"accepted": 1}),
        "miscounted",
        None,
    ),
    "a count is wrong": (
        lambda w: w.books.update(counts=w.history().books.counts | {"waiting": -1}),
        "miscounted",
        None,
    ),
    "too few duplicates are counted": (
        lambda w: w.books.update(totals=w.history().books.totals | {"duplicate": 0}),
        "miscounted",
        None,
    ),
    "a record has vanished": (
        lambda w: w.books.update(totals=w.history().books.totals | {"vanished": 1}),
        "miscounted",
        None,
    ),
    "an index is not empty": (lambda w: w.books.update(left_behind={"leases": 1}), "left behind", None),
    "an id is not held": (
        lambda w: (
            w.books["claims"].pop("order:acct:order plain")
            if w.books.setdefault("claims", dict(w.history().books.claims))
            else None
        ),
        "claim astray",
        "plain",
    ),
    "an id is held for ever": (
        lambda w: w.books.update(claims=w.history().books.claims | {"order:acct:order late": "late"}),
        "claim astray",
        "late",
    ),
    "a token is kept": (
        lambda w: w.books.update(bodies=w.history().books.bodies | {"plain"}),
        "body astray",
        "plain",
    ),
    # secret, and alive
    "a token is seen": (lambda w: w.leaks.append("the log pod-0-1.log"), "leak", None),
    "a worker ends by itself": (lambda w: w.exits.append(Exit("pod-1-1", 0, None)), "died", None),
    "a worker does not answer": (lambda w: w.sick.append("pod-1 says 503"), "sick", None),
    "a worker does not stop well": (lambda w: w.exits.append(Exit("pod-1-1", 1, "stop")), "died", None),
}


@pytest.mark.parametrize("name", BREAKS)
def test_one_thing_is_broken(name: str) -> None:
    spoil, rule, id_ = BREAKS[name]
    world = good()
    spoil(world)
    assert set(found(world)) == {(rule, id_)}


def test_every_rule_is_broken_once() -> None:
    import inspect
    import re

    from chaos.check import books, obeyed, order, outcomes, posts, times, told

    source = "".join(map(inspect.getsource, (told, posts, outcomes, order, times, obeyed, books)))
    rules = set(re.findall(r'Violation\(\s*"([^"]+)"', source)) | set(
        re.findall(r'_of\(\w+, "([^"]+)"', source)
    )
    assert rules == {rule for _, rule, _ in BREAKS.values()}


def answer_late(world: World) -> None:
    world.record("elsewhere", ended_ms=1_000_028_000)
    ended(world, "elsewhere", "unknown", "accepted")


EXCUSES: dict[str, Break] = {
    "an open is dropped by a close that overtook it": lambda w: (
        drop_overtaken(w),
        hold(w, "entries", 32.0, 34.0),
    ),
    "an exit overtakes an entry while entries are held": lambda w: (
        overtake(w),
        hold(w, "entries:other acct", 31.0, 33.0),
    ),
    "another account is posted while one is held": lambda w: hold(w, "all:acct", 20.0, 21.0),
    "an exit is posted while entries are held": lambda w: hold(w, "entries", 30.0, 31.0),
    "a pause that was being noted": lambda w: hold(w, "all", 20.7, 21.0),
    "posted by a worker that stood still meanwhile": lambda w: (
        hold(w, "all", 20.0, 21.0),
        w.deeds.append(Deed("suspend worker", "pod-1", START + 18, START + 20.2)),
    ),
    "an answer that came after all": answer_late,
    "a person gave up, but it was dropped": lambda w: w.drops.append(replace(w.drops.pop(0), status=None)),
    "a cancel of all comes while one is in flight": lambda w: (
        w.signal("all", at=30.05, kind="cancel", action="cancelAll", drops="all"),
        w.arrival("all", 31),
    ),
    "a close that the endpoint took twice": lambda w: w.arrive(5, ended=START + 5.2, status=200, text="ok"),
    "an id that was freed is used again": lambda w: (
        w.signal("second", at=35, order_id="order late"),
        w.arrival("second", 35.1),
    ),
    "nobody heard, but it was taken": lambda w: (
        w.send("busy", status=None, told_at=None),
        w.send("late", status=None, told_at=None),
    ),
    "a worker died before it wrote an ok down": lambda w: (
        w.record("elsewhere", outcome="unknown", state="dead"),
    ),
    "a slow wire": lambda w: (
        w.exits.clear(),
        w.deeds.append(Deed("slow wire", "pod-1", START + 19, START + 21)),
    ),
    "half a request that nobody can read": lambda w: (
        w.arrival(None, 26, None, complete=False),
        w.exits.clear(),
    ),
    "sent by a worker that stood still at the last moment": lambda w: (
        w.arrival("orphan", 30.3, None),
        w.deeds.append(Deed("suspend worker", "pod-1", START + 20.4, START + 30.2)),
    ),
    "an entry that was sent by such a worker": lambda w: (
        w.arrive(12, began=START + 41.0, ended=START + 41.1),
        w.deeds.append(Deed("suspend worker", "pod-1", START + 20.4, START + 40.9)),
    ),
    "two at once, for the first was given up": lambda w: w.arrive(
        4, ended=START + 5.6, status=200, text="ok"
    ),
}


@pytest.mark.parametrize("name", EXCUSES)
def test_what_may_happen(name: str) -> None:
    world = good()
    EXCUSES[name](world)
    assert found(world) == []

"""What the paper book makes of instructions."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from worker.paper.book import Book
from worker.paper.reading import Instruction

NOW = 1_000.0
AMOUNTS = {"fixed", "percent", "limit", "profit", "loss", "size"}


def place(book: Book, action: str, now: float = NOW, **fields: Any) -> None:
    amounts: dict[str, Any] = {
        name: Decimal(value) if isinstance(value, str) and name in AMOUNTS else value
        for name, value in fields.items()
    }
    book.place(Instruction(connector="a", action=action, **amounts), now)


@pytest.mark.parametrize(
    ("opening", "closing", "what"),
    [("buy", "sell", "spot"), ("openLong", "closeLong", "long"), ("openShort", "closeShort", "short")],
)
class TestMarketOrders:
    def test_an_entry_without_amount_takes_the_whole_balance(
        self, opening: str, closing: str, what: str
    ) -> None:
        book = Book()
        place(book, opening)
        assert book.account("a").held[what] == 100

    def test_fixed_wins_over_percent(self, opening: str, closing: str, what: str) -> None:
        book = Book()
        place(book, opening, fixed="0.1", percent="50")
        assert book.account("a").held[what] == Decimal("0.1")

    def test_an_order_placed_twice_doubles_the_position(self, opening: str, closing: str, what: str) -> None:
        book = Book()
        place(book, opening, percent="50", client_order_id="x")
        place(book, opening, percent="50", client_order_id="x")
        assert book.account("a").held[what] == 100
        assert (book.account("a").doubled, book.doubled) == (1, 1)

    def test_a_partial_exit_leaves_the_rest(self, opening: str, closing: str, what: str) -> None:
        book = Book()
        place(book, opening, fixed="8")
        place(book, closing, percent="25")
        assert book.account("a").held[what] == 6

    def test_an_exit_never_turns_the_position(self, opening: str, closing: str, what: str) -> None:
        book = Book()
        place(book, opening, fixed="1")
        place(book, closing, fixed="3")
        assert book.account("a").flat


def test_long_and_short_are_held_apart() -> None:
    book = Book()
    place(book, "openLong", fixed="2")
    place(book, "openShort", fixed="3")
    place(book, "closeLong")
    assert (book.account("a").long, book.account("a").short) == (Decimal(0), Decimal(3))


def test_limit_orders_rest_until_cancelled_by_their_id() -> None:
    # given two resting orders
    book = Book()
    place(book, "buy", limit="10", client_order_id="x")
    place(book, "buy", limit="11", client_order_id="y")
    # when one is cancelled
    place(book, "cancel", client_order_id="x")
    # then the other still rests and nothing was bought
    account = book.account("a")
    assert [order.asked.client_order_id for order in account.open_orders] == ["y"]
    assert account.flat
    assert (account.orders, account.cancels, account.doubled) == (2, 1, 0)


@pytest.mark.parametrize("action", ["cancelAll", "cancel_all"])
def test_cancel_all_takes_every_resting_order(action: str) -> None:
    book = Book()
    place(book, "openLong", limit="10")
    place(book, "openShort", limit="11", client_order_id="y")
    place(book, action)
    assert book.account("a").open_orders == []


@pytest.mark.parametrize("action", ["cancellAll", "CancelAll", "hold"])
def test_an_unknown_action_cancels_nothing_and_counts_as_an_order(action: str) -> None:
    book = Book()
    place(book, "openLong", limit="10")
    place(book, action)
    account = book.account("a")
    assert (len(account.open_orders), account.unknown, account.orders) == (1, 1, 2)


def test_a_sync_sets_the_position() -> None:
    book = Book()
    place(book, "openLong", fixed="4")
    place(book, "sync", side="short", size="1.5")
    assert (book.account("a").long, book.account("a").short) == (Decimal(0), Decimal("1.5"))
    place(book, "sync", side="flat", size="0")
    assert book.account("a").flat


def test_a_delayed_order_takes_effect_at_its_time_and_not_before() -> None:
    book = Book()
    place(book, "openLong", fixed="1", delay=10.0)
    book.advance(NOW + 9.999)
    assert (book.account("a").flat, book.account("a").scheduled) == (True, 1)
    book.advance(NOW + 10)
    assert (book.account("a").long, book.account("a").scheduled) == (Decimal(1), 0)


def test_delayed_orders_act_in_order_of_time_and_then_of_arrival() -> None:
    book = Book()
    place(book, "openLong", fixed="1", delay=10.0)
    place(book, "closeLong", delay=10.0)
    place(book, "openLong", fixed="5", delay=5.0)
    book.advance(NOW + 60)
    assert book.account("a").flat


def test_a_cancel_does_not_reach_an_order_that_is_still_delayed() -> None:
    book = Book()
    place(book, "buy", limit="1", client_order_id="x", delay=5.0)
    place(book, "cancel", client_order_id="x")
    book.advance(NOW + 5)
    assert len(book.account("a").open_orders) == 1


def test_asking_for_an_unknown_account_keeps_none() -> None:
    book = Book()
    assert book.account("nobody").flat
    assert book.accounts == {}


def test_the_view_is_plain_text_numbers() -> None:
    book = Book()
    place(book, "buy", fixed="0.0000001", client_order_id="x")
    seen = book.account("a").view(history=True)
    assert seen["position"] == {"spot": "0.0000001", "long": "0", "short": "0"}
    assert seen["history"][0]["fixed"] == "0.0000001"


AMOUNT = st.decimals("0.00000001", "1e30", allow_nan=False, allow_infinity=False).map(abs)
PERCENT = st.decimals("0.01", "100", places=2)
IDS = st.sampled_from([None, "x", "y"])


class AnyTrader(RuleBasedStateMachine):
    """Whatever one connector sends, the book stays sane."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.now = NOW
        self.ids: Counter[str] = Counter()

    @property
    def account(self) -> Any:
        return self.book.account("a")

    @rule(
        action=st.sampled_from(["buy", "sell", "openLong", "closeLong", "openShort", "closeShort", "?"]),
        fixed=st.none() | AMOUNT,
        percent=st.none() | PERCENT,
        limit=st.none() | AMOUNT,
        client_order_id=IDS,
        delay=st.sampled_from([0.0, 0.0, 5.0]),
    )
    def order(self, client_order_id: str | None, **fields: Any) -> None:
        place(self.book, now=self.now, client_order_id=client_order_id, **fields)
        if client_order_id:
            self.ids[client_order_id] += 1

    @rule(side=st.sampled_from(["long", "short"]), size=AMOUNT)
    def sync(self, side: str, size: Decimal) -> None:
        place(self.book, "sync", self.now, side=side, size=size)
        assert self.account.held[side] == size

    @rule(seconds=st.integers(0, 10))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.book.advance(self.now)

    @rule(percent=st.sampled_from([None, Decimal(100), Decimal("100.00")]))
    def full_close(self, percent: Decimal | None) -> None:
        for action in ("sell", "closeLong", "closeShort"):
            place(self.book, action, self.now, percent=percent)
        assert self.account.flat

    @rule()
    def cancel_all(self) -> None:
        place(self.book, "cancelAll", self.now)
        assert self.account.open_orders == []

    @invariant()
    def no_position_is_negative(self) -> None:
        assert all(size >= 0 for size in self.account.held.values())

    @invariant()
    def every_repeated_id_counts_as_doubled(self) -> None:
        assert self.account.doubled == sum(self.ids.values()) - len(self.ids)


AnyTrader.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestAnyTrader = AnyTrader.TestCase

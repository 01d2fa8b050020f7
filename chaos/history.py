"""What was said about a run, by senders, endpoint and ledger, as plain data. Nobody is believed alone.

Times are seconds of the machine's wall clock, which senders, endpoint and server share; ``*_ms`` are
milliseconds of the server's, which is the same clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

UNSENT = frozenset({425, 429, 503})
"""Answers that prove that the endpoint did not work on the request."""
IN_DOUBT = frozenset({408})
"""Refusals that prove nothing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the workers and senders were set to. Seconds."""

    deadline: float = 1.0
    lease: float = 6.0
    entry_expiry: float = 20.0
    max_attempts: int = 6
    resend_limit: int = 3
    lateness: float = 0.5
    """How long after the last look at its expiry a request may arrive: the network, and a busy machine."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One signal of a sender, under the id its sender chose for it (which the endpoint sees in ``log``)."""

    id: str
    sender: int
    connector: str
    action: str
    action_class: str
    content: str
    """Equal for signals that trade the same."""
    began: float
    """When it was first handed over."""
    told_at: float | None = None
    """When its sender knew; None: it never did, for it died or gave up."""
    status: str | None = None
    holder: str | None = None
    """The signal that held its id, when it was refused as a duplicate or conflict."""
    delay: float = 0.0
    max_age: float | None = None
    """Seconds after its due time that it may be posted; None: for ever."""
    order_id: str | None = None
    key: str | None = None
    drops: str | None = None
    """What it makes pointless: ``order`` (the one named ``target``), ``all``, or an action."""
    target: str | None = None
    valid: bool = True


@dataclass(frozen=True, slots=True)
class Arrival:
    """One POST, or what was received of it."""

    number: int
    """Place in the order of arrival."""
    connector: str
    began: float
    """When all of it had been read."""
    id: str | None = None
    """None if so little of it came that nobody can tell whose it was."""
    ended: float | None = None
    """When its answer was complete; None: it never was."""
    status: int | None = None
    text: str | None = None
    complete: bool = True
    intact: bool = True
    """Whether it is what was sent, with the account's token and without the delay."""
    rule: str | None = None
    """The misbehaviour it met."""

    @property
    def answered(self) -> bool:
        return self.complete and self.ended is not None and self.status is not None

    @property
    def unsent(self) -> bool:
        """The endpoint proved that it did nothing, and that it may be asked again."""
        return self.answered and self.status in UNSENT

    @property
    def refused(self) -> bool:
        """The endpoint proved that it did nothing, and never will."""
        if not self.answered or self.status is None or self.status in UNSENT | IN_DOUBT:
            return False
        return 300 <= self.status < 500

    @property
    def ok(self) -> bool:
        return self.answered and self.status == 200 and self.text == "ok"

    @property
    def may_count(self) -> bool:
        """For all that its sender can know, it may have become an order."""
        return not (self.unsent or self.refused)


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger says about a signal at the end."""

    id: str
    connector: str
    action: str
    action_class: str
    state: str
    seq: int
    admitted_ms: int
    due_ms: int
    expires_ms: int | None = None
    outcome: str | None = None
    why: str = ""
    ended_ms: int | None = None
    attempts: int = 0
    unknowns: int = 0
    history: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Its place in its lane: what is due joins before what is admitted in the same millisecond."""
        delayed = self.due_ms > self.admitted_ms
        return (self.due_ms, 0, self.due_ms, self.seq) if delayed else (self.admitted_ms, 1, 0, self.seq)


@dataclass(frozen=True, slots=True)
class Ending:
    """One line of the stream of outcomes."""

    id: str
    outcome: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Deed:
    """A fault that was really done, and for how long."""

    kind: str
    target: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Signals that a person held back. Nothing that it covers goes out from ``returned`` to ``released``.

    If the command gave up, these are the same.
    """

    scope: str
    """``all``, ``entries``, ``all:<connector>`` or ``entries:<connector>``."""
    asked: float
    returned: float
    released: float
    over: float
    """When the command that took it off had returned."""

    def covers(self, connector: str, action_class: str) -> bool:
        kind, colon, whose = self.scope.partition(":")
        return (not colon or whose == connector) and (kind == "all" or action_class == "entry")


@dataclass(frozen=True, slots=True)
class Drop:
    """A signal that a person wanted dropped while it waited."""

    id: str
    asked: float
    returned: float
    status: str | None
    """What was told, as in ``worker.records.DropAnswer``; None: nothing, and it may have been dropped."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a worker process ended, and what it had been told to do."""

    process: str
    code: int
    asked: str | None = None
    """``kill``, ``crash`` (at a point that was chosen for it), ``stop``, or None: it ended by itself."""
    was_ready: bool = True
    at: float = 0.0
    """When it was seen to be gone."""


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger keeps beside the records."""

    counts: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    left_behind: dict[str, int] = field(default_factory=dict)
    """Sizes of lanes, calendars and indexes that should be empty."""
    claims: dict[str, str] = field(default_factory=dict)
    """Claim → id of the signal that holds it; keyed as :func:`order_claim` and :func:`key_claim` do."""
    bodies: frozenset[str] = frozenset()
    """Ids whose body, and so whose token, is still kept."""


@dataclass(frozen=True, slots=True)
class History:
    """All of it."""

    sent: tuple[Sent, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    records: tuple[Record, ...] = ()
    endings: tuple[Ending, ...] = ()
    deeds: tuple[Deed, ...] = ()
    pauses: tuple[Pause, ...] = ()
    drops: tuple[Drop, ...] = ()
    exits: tuple[Exit, ...] = ()
    books: Books = Books()
    sick: tuple[str, ...] = ()
    """What did not work although the storm was long over."""
    leaks: tuple[str, ...] = ()
    """Where a token was seen that should not be there."""
    limits: Limits = Limits()


def order_claim(connector: str, order_id: str) -> str:
    return f"order:{connector}:{order_id}"


def key_claim(connector: str, key: str) -> str:
    return f"key:{connector}:{key}"


def claims_of(sent: Sent) -> tuple[str, ...]:
    """The claims a signal holds once it is accepted."""
    order = [order_claim(sent.connector, sent.order_id)] if sent.order_id is not None else []
    return (*order, *([key_claim(sent.connector, sent.key)] if sent.key is not None else []))

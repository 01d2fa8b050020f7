"""What goes into the queue and what comes out of it, as plain data.

Times ending in ``_ms`` are milliseconds of the Redis server's clock; durations too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """How a signal ended. ``worker/lanes/lua/common.lua`` holds the same names with their effects."""

    ACCEPTED = "accepted"
    """The endpoint answered as expected."""
    CANCELLED = "cancelled"
    """Dropped while it waited, by a later cancel or close, or by a person."""
    REJECTED = "rejected"
    """The endpoint refused it."""
    EXPIRED = "expired"
    """It waited longer than an entry may."""
    UNSENT = "unsent"
    """Every attempt provably failed to reach the endpoint."""
    INVALID = "invalid"
    """What lay in Redis is not a signal; it was not posted."""
    UNKNOWN = "unknown"
    """It may or may not have become an order; a person must look."""
    DISCARDED = "discarded"
    """A person decided that it is over, and that no order exists."""


class Admission(NamedTuple):
    """One signal on its way into the queue. ``body`` is its stored form (JSON).

    A named tuple, because one is made for each signal, and a frozen dataclass takes seven times as long.
    """

    id: str
    connector: str
    action: str
    action_class: str
    delay_ms: int
    window_ms: int
    fingerprint: str
    body: str
    max_age_ms: int | None = None
    """How long after its due time it may still be posted; None: for ever."""
    order_id: str | None = None
    """clientOrderId, if the signal places an order under it."""
    idempotency_key: str | None = None
    key_window_ms: int | None = None
    """How long the idempotency key is remembered; None: as long as the order id, ``window_ms``."""
    hold_ms: int | None = None
    """Of the delay, how much only serves to sort the signals of several senders by their arrival."""
    text: str | None = None
    """Stands for what was sent without an id, and may be sent again if our answer is lost: what comes with
    the same within a minute, but not within the first seconds, is a duplicate, until ``release``."""
    drops: str | None = None
    """Which waiting signals it makes pointless; see ``worker.policy.drops``."""
    target: str | None = None
    """clientOrderId that a cancel refers to."""
    trace: str | None = None
    """In which trace it was sent: a W3C traceparent."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of one admission: ``accepted``, ``duplicate``, ``conflict`` or ``full``."""

    status: str
    first_id: str | None = None
    """The signal that already holds the id, when refused."""
    state: str | None = None


ACCEPTED = Admitted("accepted")
"""What nearly every admission becomes."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a leased lane, noted in Redis as being sent."""

    lane: str
    id: str
    token: str
    """Fencing token of the lease; together with ``id`` it names the attempt."""
    body: str
    action: str
    action_class: str
    attempt: int
    """Number of this attempt, from 1."""
    unknowns: int
    """Earlier attempts that may have reached the endpoint."""
    admitted_ms: int
    due_ms: int
    expires_ms: int | None
    orphan: bool
    """An earlier owner was sending it and never told how that ended: judge it, do not send it."""
    taken_ms: int | None = None
    """Of an orphan: when that owner was given it."""
    rung_ms: int | None = field(default=None, compare=False)
    """When its lane was last rung; None if it was in hand already, or if the call was repeated."""
    trace: str | None = None
    """As of its admission; whatever lay in Redis. None, too, if nobody asked for it."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a head ended. With ``more`` the lane's next head is wanted; without, the lane is given back."""

    head: Head
    outcome: Outcome
    why: str = ""
    note: str = ""
    """A line for the attempt history (JSON); empty: nothing worth remembering."""
    more: bool = False
    health: str | None = None
    """What the attempt tells of the endpoint: ``well``, ``ill`` or nothing."""


@dataclass(frozen=True, slots=True)
class Deferral:
    """A head that keeps its place and is tried again after ``delay_ms``; its lane is given back."""

    head: Head
    delay_ms: int
    note: str = ""
    refund: bool = False
    """Nothing was sent: this attempt does not count."""
    unknown: bool = False
    """The attempt may have reached the endpoint (and repeating it is harmless)."""
    health: str | None = None
    """As of a settlement."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A signal that reached its outcome; told once, by the call that wrote it."""

    id: str
    lane: str
    action: str
    action_class: str
    outcome: Outcome
    why: str
    attempts: int
    admitted_ms: int
    due_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """An endpoint begins or ceases to count as out of order; told once, by the call that decided it."""

    endpoint: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What people hold back. ``scopes``: how many pauses there are, those of connectors included."""

    everything: bool = False
    entries: bool = False
    scopes: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What every call leaves to do, and what ended in it."""

    now_ms: int
    rings: tuple[str, ...] = ()
    """Lanes the caller must ring."""
    slots_ms: tuple[int, ...] = ()
    """Times at which the caller must have the calendar looked at."""
    ended: tuple[Ended, ...] = ()
    circuits: tuple[CircuitChange, ...] = ()


@dataclass(frozen=True, slots=True)
class AdmitAnswer(Answer):
    results: tuple[Admitted, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckoutAnswer(Answer):
    heads: tuple[Head, ...] = ()


@dataclass(frozen=True, slots=True)
class SettleAnswer(Answer):
    """One entry per settlement: ``done``, ``late`` or ``stale``, and the lane's next head if there is one."""

    results: tuple[tuple[str, Head | None], ...] = ()


@dataclass(frozen=True, slots=True)
class DeferAnswer(Answer):
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WakeAnswer(Answer):
    more: bool = False
    """More is due than one call handles: call again."""
    leases_expired: int = 0
    rings_lost: int = 0
    held: Held | None = None
    """What is paused now; only a sweep tells."""


@dataclass(frozen=True, slots=True)
class ResolveAnswer(Answer):
    """One entry per id: ``done``, ``gone`` (no dead letter any more) or ``taken`` (its order id is)."""

    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DropAnswer(Answer):
    """One entry per id: ``done`` (it waited, and is cancelled now), ``sending`` (a worker has it in hand),
    ``doubtful`` (an earlier attempt may have been taken) or ``gone`` (finished, dead, or no signal)."""

    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PauseAnswer(Answer):
    in_flight: tuple[str, ...] = ()
    """Ids of covered signals whose POST may still begin; ask again until there are none."""


@dataclass(frozen=True, slots=True)
class Brakes:
    """What holds lanes back although they have work. Rates are signals per second, 0 for none."""

    endpoint: str = ""
    """Name of the endpoint whose health is watched."""
    rate: float = 0.0
    burst: int = 1
    """Signals that may go out at once after a silence."""
    connector_rate: float = 0.0
    connector_burst: int = 1
    retry_rate: float = 0.0
    """Further attempts of all connectors together."""
    circuit_lanes: int = 0
    """So many connectors failing in a row open the circuit; 0: it never opens."""
    circuit_pause_ms: int = 2000
    """Until the first probe; doubles with each that fails."""
    circuit_cap_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Timing:
    """How the queue keeps time and how much it remembers.

    Raises nothing itself; ``worker.settings`` checks the values against each other.
    """

    lease_ms: int = 20_000
    """How long a worker may hold a lane without telling; must exceed the POST deadline."""
    horizon_ms: int = 60_000
    """Countdown tasks are made for what falls due within this time; the sweep arms the rest later."""
    slot_ms: int = 50
    """Signals falling due within one slot share a countdown task; also how late they may start."""
    patience_ms: int = 5_000
    """A ring that nobody answered for so long counts as lost, unless the ring queue is crowded."""
    crowd: int = 200
    """Ring queue length above which lanes are taken to wait their turn."""
    keep_ms: int = 3_600_000
    """How long a finished signal can be asked for."""
    stream_length: int = 10_000
    """Outcomes kept for ``signal-worker tail``."""
    letters_kept_ms: int = 30 * 86_400_000
    """How long a dead letter is kept."""
    letters_most: int = 100_000
    """How many dead letters are kept; beyond, the oldest go."""
    lane_limit: int = 0
    """Signals of a connector that may wait, delayed ones included; a tenth more for what is no entry. 0: any
    number."""
    limit: int = 500
    """Lanes of a kind that one ``wake`` handles: bounds the script's time."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """What the Redis server says of itself."""

    memory: int
    """Bytes in use."""
    memory_limit: int
    """Bytes at which it refuses signals; 0: none."""
    evicting: bool
    """It may throw signals away when its memory is full."""
    append_only: bool
    disk_failing: bool
    """It cannot write its append-only file, and refuses signals until it can."""

    @property
    def fullness(self) -> float:
        """Share of the limit that is in use; at 1 producers are refused. 0 without a limit."""
        return self.memory / self.memory_limit if self.memory_limit else 0.0

    @property
    def refuses(self) -> str | None:
        """Why it takes no signals in, for people; None if it does."""
        if self.fullness >= 1:
            return "Redis is full (maxmemory): producers are refused until there is room"
        if self.disk_failing:
            return "Redis cannot write its append-only file: producers are refused until it can"
        return None


@dataclass(frozen=True, slots=True)
class Census:
    """How many signals are where."""

    lanes: int
    waiting: int
    delayed: int
    leased: int
    halted: int
    rung: int
    ring_queue: int
    oldest_due_ms: int | None
    next_delayed_ms: int | None
    now_ms: int
    dead: dict[str, int] = field(default_factory=dict)
    """Dead letters by reason; ``uncounted`` are those whose reason no counter knows."""
    totals: dict[str, int] = field(default_factory=dict)
    """How many were admitted, refused and ended how, since the installation began."""
    revised: dict[str, int] = field(default_factory=dict)
    """How many dead letters of this reason got another fate, and do not count as ended so any more."""
    oldest_rung_ms: int | None = None
    """Since when the first ring waits for a worker; long ago: there is none, or not enough."""
    next_wakeup_ms: int | None = None
    """When the next lease ends or retry is due; long ago: no worker looks after the lanes."""
    pauses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What people hold back, and for which reasons; scopes as in ``worker.lanes.pauses``."""
    circuits: dict[str, int] = field(default_factory=dict)
    """Endpoints that count as out of order, and when (ms) they are tried again; at most ten are named."""
    circuits_open: int = 0
    """How many there are."""
    dead_exits: dict[str, int] = field(default_factory=dict)
    """Those of the dead letters that are no entries: what they were to close or cancel may still be there."""
    oldest_free_due_ms: int | None = None
    """As ``oldest_due_ms``, of lanes that no pause and no circuit holds back."""
    oldest_unknown_ms: int | None = None
    """Since when the first signal of unknown fate waits for a person."""
    parked: int = 0
    """Lanes that wait for a retry or for their turn under a rate limit."""
    workers: int = 0
    """Workers that have swept lately."""
    server: ServerState | None = None
    """None if the user's rights do not allow to ask."""

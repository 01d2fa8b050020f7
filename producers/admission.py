"""From a signal and what its sender says beside it to what the queue takes, and back to a receipt. Pure."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from producers.receipts import Receipt, Status
from worker.accounts import Account, Accounts
from worker.contract import (
    Action,
    OrderSignal,
    PositionSyncSignal,
    Rules,
    Signal,
    check,
    effective_delay_ms,
    fingerprint,
    parse,
    sealed,
    warnings,
)
from worker.errors import InvalidSignal
from worker.policy import Policy, action_of, classify, drops, max_age
from worker.records import Admission, Admitted
from worker.vault import MARK

Source: TypeAlias = Mapping[str, object] | bytes | bytearray | memoryview | str | Signal
"""One signal as a sender may give it: a mapping with the JSON names, a JSON text, or a parsed signal."""

LONGEST_KEY = 255
"""Characters of an idempotency key."""
LONGEST_SECONDS = 604_800.0
"""The longest maximum age and dedup window: a week."""

_REFERS = (Action.CANCEL, Action.CANCEL_ALL)
_PARSED = (OrderSignal, PositionSyncSignal)
_ACCEPTED = Status.ACCEPTED  # to get a member of an enumeration takes as long as to compare it


def new_id() -> str:
    """A name for a signal that no other has."""
    return os.urandom(16).hex()  # a quarter of what uuid4 costs, and it is made for each signal


@dataclass(frozen=True, slots=True)
class Draft:
    """One signal, not yet looked at, and what its sender says beside it.

    ``source`` may be the InvalidSignal that reading it gave: then that is its receipt. ``id`` is chosen
    before Redis is asked, so that asking again after a lost reply changes nothing.
    """

    source: object
    key: str | None = None
    """Idempotency key, scoped by connector."""
    id: str = field(default_factory=new_id)
    key_window: float | None = None
    """Seconds that ``key`` is remembered, if not as long as a clientOrderId."""
    text: str | None = None
    """Stands for what was sent, if it has no id; see ``Admission.text``."""
    hold_until: float | None = None
    """When (by ``worker.clock.steady``) it is due at the earliest: signals of senders that share a connector
    are held for a moment, so that they are sorted by when they came."""
    key_is_spare: bool = False
    """The key is for a signal that has no clientOrderId to be known by; else it is not claimed."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all signals of a call. Durations in seconds.

    What the accounts file says of a connector goes before ``rules``, ``policy`` and ``window``.
    """

    rules: Rules
    policy: Policy
    window: float
    """How long clientOrderIds and idempotency keys are remembered, from admission."""
    window_fixed: bool = False
    """``window`` holds for every connector, whatever the accounts file says."""
    max_age: float | None = None
    """Overrides how long after its due time a signal may be posted."""
    needs_token: bool = False
    """Whose token is not in the accounts file must give it."""
    accounts: Callable[[], Accounts] | None = None
    """The accounts in force."""
    seal: Callable[[str], str] | None = None
    """Makes of a token what is kept of it in Redis."""
    in_order: bool = False
    """No signal is taken after one of its connector was refused because too many wait; for senders who will
    send that one again. Otherwise exits and cancels still find room when entries do not."""
    trace: str | None = None
    """The trace that the caller is in: a W3C traceparent."""
    platform_delays: bool = False
    """The platform waits out ``delaySeconds``, so that here every signal is due at once."""


class Prepared(NamedTuple):
    """A valid signal, ready to be admitted."""

    admission: Admission
    warnings: tuple[str, ...]
    hold_until: float | None = None
    """As of its draft."""

    def held(self, now: float) -> Prepared:
        """Held for what is left at ``now`` (of ``worker.clock.steady``), just before the queue is asked."""
        if self.hold_until is None:
            return self
        hold_ms = max(0, round((self.hold_until - now) * 1000))
        delay_ms = max(self.admission.delay_ms, hold_ms)
        return self._replace(admission=self.admission._replace(delay_ms=delay_ms, hold_ms=hold_ms))


def prepare(draft: Draft, terms: Terms) -> Prepared | InvalidSignal:
    """Check a draft and translate it; what is wrong with it is an answer, so that others go on."""
    try:
        signal = _signal(draft.source, terms.rules.lenient())
        own, token = _of_connector(signal, terms)
        check(signal, own.rules)
        return Prepared(_admission(signal, token, draft, own), warnings(signal), draft.hold_until)
    except InvalidSignal as error:
        return error.with_traceback(None)


def receipt_for(prepared: Prepared, answer: Admitted) -> Receipt:
    """What the queue's answer means to the sender."""
    admission = prepared.admission
    # Held by ourselves: an earlier try of this very signal came through and has been finished since.
    if answer.status == _ACCEPTED or (answer.status == Status.DUPLICATE and answer.first_id == admission.id):
        due_in = admission.delay_ms / 1000
        return Receipt(
            _ACCEPTED, admission.id, admission.connector, None, None, None, prepared.warnings, due_in
        )
    error = None
    if answer.status == Status.FULL:
        error = "too many signals of this connector wait already (SIGNALS_LANE_LIMIT): send it again later"
    if answer.status == Status.CONFLICT:
        error = (
            f"its clientOrderId or idempotency key belongs to a different signal, {answer.first_id}"
            f" ({answer.state}): send it under a new one"
        )
    return Receipt(
        Status(answer.status),
        connector=admission.connector,
        error=error,
        first_id=answer.first_id,
        state=answer.state,
        warnings=prepared.warnings,
    )


def refusal(error: InvalidSignal) -> Receipt:
    """The receipt of a signal that breaks the contract."""
    return Receipt(Status.INVALID, error=str(error))


def checked_key(key: str | None) -> str | None:
    """An idempotency key that may be used; raises InvalidSignal (which does not show it)."""
    if key is None:
        return None
    if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidSignal(f"the idempotency key must be 1 to {LONGEST_KEY} printable characters")
    return key


def checked_seconds(name: str, value: float | None) -> float | None:
    """A duration argument that may be used; raises InvalidSignal."""
    if value is not None and not 0 < value <= LONGEST_SECONDS:
        raise InvalidSignal(
            f"{name} must be more than 0 and at most {LONGEST_SECONDS:g} seconds, got {value}"
        )
    return value


def _signal(source: object, rules: Rules) -> Signal:
    if isinstance(source, InvalidSignal):
        raise source
    if type(source) in _PARSED:
        return source  # type: ignore[return-value]  # mypy does not follow this
    return parse(source, rules)  # type: ignore[arg-type]  # it refuses what is no signal by itself


def _of_connector(signal: Signal, terms: Terms) -> tuple[Terms, str | None]:
    """The terms of the signal's connector, and what of its token goes into Redis."""
    if terms.accounts is None:
        return terms, _kept_token(signal.connector_token, None, terms)
    account = terms.accounts().get(signal.connector_name)
    token = _kept_token(signal.connector_token, account, terms)
    if account is None:
        return terms, token
    if not account.enabled:
        raise InvalidSignal("`connectorName`: the accounts file says that this account is not enabled")
    rules, policy = account.rules(terms.rules), account.policy(terms.policy)
    window = (None if terms.window_fixed else account.dedup_window) or terms.window
    if rules is terms.rules and policy is terms.policy and window == terms.window:
        return terms, token  # as with most accounts, and with each of a million lines
    return replace(terms, rules=rules, policy=policy, window=window), token


def _kept_token(given: str | None, account: Account | None, terms: Terms) -> str | None:
    if given is not None and given.startswith(MARK):
        raise InvalidSignal(f"`connectorToken` must not begin with {MARK}")  # a worker would unseal it
    if account is not None and account.token is not None:
        known = account.token.get_secret_value()
        if given is not None and not hmac.compare_digest(given.encode(), known.encode()):
            raise InvalidSignal("`connectorToken` is not that of the accounts file")
        return None
    if given is None and terms.needs_token:  # without one no worker could post it
        where = "" if terms.accounts is None else ": the accounts file has none for this connector"
        raise InvalidSignal(f"`connectorToken` is required{where}")
    return given if given is None or terms.seal is None else terms.seal(given)


def _admission(signal: Signal, token: str | None, draft: Draft, terms: Terms) -> Admission:
    body = sealed(signal, token)
    # The worker holds the stored form against the same limit: refuse now what it would refuse then.
    if len(body) > terms.rules.max_bytes:
        raise InvalidSignal(f"the signal has {len(body)} bytes, the limit is {terms.rules.max_bytes}")
    action_class = classify(signal)
    age = max_age(action_class, terms.policy) if terms.max_age is None else terms.max_age
    order_id, target = _order_and_target(signal)
    key = None if draft.key_is_spare and order_id is not None else checked_key(draft.key)
    return Admission(  # by position, which takes a third of the time
        draft.id,
        signal.connector_name,
        action_of(signal),
        str.__str__(action_class),
        0 if terms.platform_delays else effective_delay_ms(signal),
        _ms(terms.window),
        fingerprint(signal),
        body.decode(),
        None if age is None else _ms(age),
        order_id,
        key,
        None if draft.key_window is None else _ms(draft.key_window),
        None,  # hold_ms: `held` sets it
        draft.text,
        drops(signal, terms.policy),
        target,
        terms.trace,
    )


def _order_and_target(signal: Signal) -> tuple[str | None, str | None]:
    """The clientOrderId under which an order is placed, and the one a cancel refers to."""
    if not isinstance(signal, OrderSignal):
        return None, None
    if signal.action in _REFERS:
        return None, signal.client_order_id if signal.action is Action.CANCEL else None
    return signal.client_order_id, None


@lru_cache(maxsize=64)
def _ms(seconds: float) -> int:
    # At least 1: Redis refuses an expiry of 0.
    return max(1, round(seconds * 1000))

"""One message that is complete: the contract's verdict and warnings, and what else can be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from producers.fanout import GROUP, is_for_group
from producers.lint.findings import Finding, error, hint, warning
from worker.contract import Action, OrderSignal, Rules, Signal, fingerprint, parse, warnings
from worker.contract.reading import RepeatedField, decode, utf8
from worker.contract.shape import SHORTEST_SECRET
from worker.errors import InvalidSignal

_CANCELS = (Action.CANCEL, Action.CANCEL_ALL)
_FUTURES_ENTRIES = (Action.OPEN_LONG, Action.OPEN_SHORT)
_ADVICE = {
    "names no `fixed` or `percent`": "say how much: `percent` or `fixed`",
    "are both present": "leave one of them out",
    "has no digits": "add something that is new each time, such as {{timenow}}",
    "does not look like a UUID": "copy the token from the platform once more",
    "has no effect without": "add `delaySeconds`, or leave the filter out",
}

Body = bytes | Mapping[str, object]


def read(body: Body, line: int) -> Signal | Finding:
    """The signal, or why it would be refused."""
    try:
        return parse(_for_one(body), Rules())
    except InvalidSignal as problem:
        return error(line, str(problem), _mending(str(problem)))


def _for_one(body: Body) -> Body:
    """A message to a group as that to one of its members, called like the group. Raises InvalidSignal."""
    fields = decode(utf8(body)) if isinstance(body, bytes) else body
    if not isinstance(fields, Mapping) or isinstance(fields, RepeatedField) or not is_for_group(fields):
        return body
    if fields.get("connectorName") is not None:
        raise InvalidSignal("`group` and `connectorName` exclude each other")
    rest = {name: value for name, value in fields.items() if name != GROUP}
    return {**rest, "connectorName": fields[GROUP]}


def look_at(signal: Signal, line: int, *, fixed_log: bool = True) -> Iterator[Finding]:
    """What is odd about a valid signal. ``fixed_log``: its `log` is what it will be."""
    for text in warnings(signal):
        yield warning(line, text, next((advice for mark, advice in _ADVICE.items() if mark in text), ""))
    yield from _misplaced_token(signal, line)
    if fixed_log:
        yield from _idle_filter(signal, line)
    if isinstance(signal, OrderSignal):
        yield from _order_hints(signal, line)


def _mending(problem: str) -> str:
    if "placeholder" in problem:
        return "check a template by itself (--as template), or have its placeholders filled in"
    if "exclude each other" in problem:
        return "leave one of them out"
    if "is required" in problem:
        return "add the field"
    if "did you mean" in problem:
        return "correct the spelling"
    return "mend it: as it is, it would be refused"


def _misplaced_token(signal: Signal, line: int) -> Iterator[Finding]:
    token = signal.connector_token
    if token is None or len(token) < SHORTEST_SECRET:
        return
    texts = {"connectorName": signal.connector_name, "log": signal.log or ""}
    if isinstance(signal, OrderSignal):
        texts["clientOrderId"] = signal.client_order_id or ""
    for name, text in texts.items():
        if token in text:
            yield error(
                line, f"`{name}` holds the connector token", "take it out: that field is shown everywhere"
            )


def _idle_filter(signal: Signal, line: int) -> Iterator[Finding]:
    word = signal.delay_seconds_filter
    if signal.delay_seconds is None or word is None:
        return
    if not word:
        yield hint(line, "`delaySecondsFilter` is empty: every signal is delayed", "leave it out")
    elif word not in (signal.log or ""):
        yield warning(
            line,
            "`log` does not contain what `delaySecondsFilter` asks for: nothing is delayed",
            "write the word into `log`; capitals count",
        )


def _order_hints(signal: OrderSignal, line: int) -> Iterator[Finding]:
    if signal.action in _CANCELS:
        return
    if signal.client_order_id is None:
        yield hint(
            line,
            "no `clientOrderId`: delivered twice, it is two orders",
            "give each order its own, such as long-{{timenow}}",
        )
    if signal.action in _FUTURES_ENTRIES and signal.loss is None:
        yield hint(
            line,
            f"`{signal.action}` names no `loss`: its order has no stop",
            "add a stop price if none is set elsewhere",
        )


class Ids:
    """Remembers clientOrderIds, to tell when one comes again."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, str]] = {}

    def look_at(self, signal: Signal, line: int) -> Iterator[Finding]:
        if not isinstance(signal, OrderSignal) or signal.action in _CANCELS or signal.client_order_id is None:
            return
        key = (signal.connector_name, signal.client_order_id)
        first, print_ = self._seen.setdefault(key, (line, fingerprint(signal)))
        if first == line:
            return
        same = print_ == fingerprint(signal)
        say: Callable[..., Finding] = warning if same else error
        what = "the same signal is not posted again" if same else "a different signal under it is refused"
        yield say(line, f"`clientOrderId` stands on line {first} already: {what}", "give each order its own")

"""An alert template: a message with placeholders, looked at with samples in their places."""

from __future__ import annotations

import re
from collections.abc import Iterator

from producers.lint.findings import Finding, Severity, error, hint, warning
from producers.lint.message import look_at, read
from producers.lint.placeholders import (
    KNOWN,
    LONG,
    NEW_EACH_TIME,
    PATTERN,
    SHORT,
    Placeholder,
    is_plot,
    rendered,
)
from worker.contract import Action, OrderSignal, Signal
from worker.contract.explain import did_you_mean
from worker.contract.hiding import shown

_REPEATS = "an id that repeats for every entry"


def examine_template(template: str, line: int) -> Iterator[Finding]:
    """What is wrong or odd about a template that begins on ``line``."""
    text, found = rendered(template, LONG)
    yield from _placeholders(template, found, line)
    if any(one.name == "strategy.order.alert_message" for one in found) and template.strip() == _only(
        template
    ):
        yield hint(line, "the message is what the script says", "check the script (.pine) itself")
        return
    long = read(text.encode("utf-8", "replace"), line)
    if isinstance(long, Finding):
        yield long
        return
    yield from _without_id_warning(look_at(long, line, fixed_log=not _used_in(template, "log")))
    yield from _repeating_id(template, long, line)
    if found:
        yield from _other_side(template, line)


def _other_side(template: str, line: int) -> Iterator[Finding]:
    """What is refused only when a short position is entered."""
    short = read(rendered(template, SHORT)[0].encode("utf-8", "replace"), line)
    if isinstance(short, Finding):
        yield warning(
            line, f"refused when it is sent for a short: {short.text}", "use it for longs only, or mend it"
        )


def _only(template: str) -> str:
    match = PATTERN.search(template)
    return match[0] if match else ""


def _placeholders(template: str, found: tuple[Placeholder, ...], line: int) -> Iterator[Finding]:
    for one in found:
        at = line + template.count("\n", 0, one.start)
        name = shown("{{" + one.name + "}}")[1:-1]
        if not one.is_known:
            yield error(
                at,
                f"TradingView knows no placeholder {name}{did_you_mean(one.name, KNOWN)}",
                "it would stay as it is, and the signal be refused",
            )
        elif not one.quoted and one.is_number:
            yield hint(
                at,
                f"{name} stands without quotes: where it has no value (NaN), the message is no JSON",
                "put it into quotes",
            )
        elif not one.quoted and template.lstrip().startswith("{"):
            yield error(
                at,
                f"{name} stands without quotes, but is a text: the message is no JSON",
                "put it into quotes",
            )
    rest = PATTERN.sub("", template)
    if "{{" in rest:
        yield error(line, "a placeholder is not closed: {{ without }}", "close it with }}")


def _without_id_warning(findings: Iterator[Finding]) -> Iterator[Finding]:
    """``_repeating_id`` knows more of ids than can be seen from a sample."""
    return (one for one in findings if _REPEATS not in one.text)


def _repeating_id(template: str, signal: Signal, line: int) -> Iterator[Finding]:
    if not isinstance(signal, OrderSignal) or signal.action in (Action.CANCEL, Action.CANCEL_ALL):
        return
    if signal.client_order_id is None:
        return
    names = _used_in(template, "clientOrderId")
    if any(name in NEW_EACH_TIME or is_plot(name) for name in names):
        return
    what = "is the same for every alert" if not names else "comes again with every entry"
    if names == ["strategy.order.id"]:
        what = "is the entry's name in the script alone, which comes again with every entry"
    yield Finding(
        line,
        Severity.WARNING,
        f"`clientOrderId` {what}: later orders count as duplicates or conflicts",
        "add something that is new each time, such as {{timenow}}",
    )


def _used_in(template: str, field: str) -> list[str]:
    """Names of the placeholders in a field's text."""
    names = [match[1].strip() for match in PATTERN.finditer(template)]
    # They may hold quotes themselves, so they are taken out first.
    bare = PATTERN.sub("\0", template)
    match = re.search(rf'"{field}"\s*:\s*"([^"]*)"', bare)
    before = bare.count("\0", 0, match.start(1)) if match else 0
    return names[before : before + match[1].count("\0")] if match else []

"""What the linter finds, and that it takes anything and shows no token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from producers.lint import Finding, Severity, examine
from producers.lint.sources import Kind

TOKEN = "0e9f7a52-8d53-4c6a-9f0e-3b1f7a2c4d5e"
GOOD = {
    "connectorName": "alpha",
    "connectorToken": TOKEN,
    "action": "openLong",
    "percent": "10",
    "loss": "100",
    "clientOrderId": "long-1",
}


def message(**fields: Any) -> str:
    return json.dumps({name: value for name, value in {**GOOD, **fields}.items() if value is not None})


def found(text: str, kind: Kind = "json", **options: Any) -> list[tuple[int, str, str]]:
    return [(one.line, one.severity.value, one.text) for one in examine(text.encode(), kind, **options)]


def one(text: str, kind: Kind = "json", **options: Any) -> tuple[int, str, str]:
    (only,) = found(text, kind, **options)
    return only


def test_nothing_is_wrong_with_a_good_message() -> None:
    assert found(message()) == []


def test_a_message_to_a_group_is_looked_at_as_one_to_an_account() -> None:
    assert found(message(connectorName=None, group="desk")) == []
    assert one(message(connectorName=None, group="desk", clientOrderId="Long"))[1] == "warning"
    assert one(message(connectorName=None, group="desk", perecnt="1"))[1] == "error"
    assert found("group,action,percent,loss,clientOrderId\ndesk,openLong,1,5,o1\n", "csv") == []


def test_a_message_to_a_group_names_no_account_beside_it() -> None:
    assert "exclude each other" in one(message(group="desk"))[2]
    assert found(message() + "\n" + message(clientOrderId="long-2"), "jsonl") == []
    assert found(f"[{message()}, {message(clientOrderId='long-2')}]") == []
    assert found(message(clientOrderId="{{ticker}}-{{timenow}}", log="{{close}}")) == []


@pytest.mark.parametrize(
    ("fields", "severity", "text"),
    [
        ({"perecnt": "1"}, "error", "did you mean `percent`"),
        ({"action": "opnLong"}, "error", "`action` must be one of"),
        ({"action": "buy"}, "error", "`loss` is for futures actions only"),
        ({"connectorName": TOKEN}, "error", "`connectorName` looks like a token"),
        ({"log": f"token {TOKEN}"}, "error", "`log` holds the connector token"),
        ({"percent": None}, "warning", "100 % of the balance"),
        ({"clientOrderId": None}, "hint", "no `clientOrderId`"),
        ({"clientOrderId": "Long"}, "warning", "has no digits"),
        ({"loss": None}, "hint", "no `loss`"),
        ({"delaySeconds": 5, "delaySecondsFilter": "Open", "log": "open"}, "warning", "nothing is delayed"),
        ({"delaySeconds": 5, "delaySecondsFilter": "", "log": "open"}, "hint", "every signal is delayed"),
        ({"delaySecondsFilter": "open"}, "warning", "no effect without `delaySeconds`"),
    ],
)
def test_what_is_wrong_with_a_message(fields: dict[str, Any], severity: str, text: str) -> None:
    line, kind, said = one(message(**fields))
    assert (line, kind) == (1, severity)
    assert text in said


def test_lines_have_their_numbers_and_ids_are_remembered() -> None:
    lines = [message(), "", message(percent="11"), message(), message(clientOrderId="{{ticker}}1")]
    first, second, third = found("\n".join(lines), "jsonl")
    assert first[:2] == (3, "error")
    assert "stands on line 1 already: a different signal" in first[2]
    assert second[:2] == (4, "warning")
    assert third[:2] == (5, "error")
    assert "placeholder" in third[2]


def test_rows_of_csv() -> None:
    rows = f"connectorName,connectorToken,action,percent\nalpha,{TOKEN},sell,5\nalpha,{TOKEN},sel,5\na\n"
    assert [(line, severity) for line, severity, _ in found(rows, "csv")] == [
        (2, "hint"),
        (3, "error"),
        (4, "error"),
    ]
    assert one("connectorName,perecnt\n", "csv")[2].endswith("did you mean `percent`?")


@pytest.mark.parametrize(
    ("fields", "severity", "text"),
    [
        ({"limit": "{{clsoe}}"}, "error", "no placeholder {{clsoe}}: did you mean `close`"),
        ({"log": "{{close"}, "error", "not closed"),
        ({"clientOrderId": "{{strategy.order.id}}"}, "warning", "entry's name in the script alone"),
        ({"clientOrderId": "long-1", "log": "{{close}}"}, "warning", "is the same for every alert"),
        ({"clientOrderId": "{{ticker}}-1"}, "warning", "comes again with every entry"),
        (
            {"fixed": "{{strategy.position_size}}", "percent": None, "clientOrderId": "{{time}}"},
            "warning",
            "refused when it is sent for a short",
        ),
    ],
)
def test_what_is_wrong_with_a_template(fields: dict[str, Any], severity: str, text: str) -> None:
    hits = [(kind, said) for _, kind, said in found(message(**fields), shape="template") if text in said]
    assert [kind for kind, _ in hits] == [severity]


def test_placeholders_without_quotes() -> None:
    number = message(clientOrderId="{{timenow}}", limit="LIMIT").replace('"LIMIT"', "{{close}}")
    assert one(number)[1] == "hint"
    text = number.replace("{{close}}", "{{ticker}}")
    assert {severity for _, severity, _ in found(text)} == {"error"}
    assert found(message(clientOrderId="PLOT").replace("PLOT", '{{plot("a, b")}}')) == []


def test_the_place_of_a_placeholder_is_its_line() -> None:
    template = json.dumps({**GOOD, "log": "{{nonsense}}"}, indent=1)
    line = template[: template.index("{{nonsense")].count("\n") + 1
    assert (line, "error") in [hit[:2] for hit in found(template)]


SCRIPT = """//@version=5
strategy("s")  // alert("{ not this }")
msg = '{"connectorName":"a","connectorToken":"%s","action":"openLong","perecnt":"5"}'
strategy.entry("L", strategy.long, alert_message=msg)
strategy.close("L", alert_message = '{"connectorName":"a","action":"' + side + '","clientOrderId":"' +
     str.tostring(time) + '"}')
alert(built(x), alert.freq_once_per_bar)
alert("entered")
"""


def test_messages_of_a_script() -> None:
    first, *rest = found(SCRIPT % TOKEN, "pine")
    assert first[:2] == (4, "error")
    assert "did you mean `percent`" in first[2]
    assert [(line, severity) for line, severity, _ in rest if severity == "hint"] == [
        (5, "hint"),
        (7, "hint"),
        (8, "hint"),
    ]
    assert "computed" in rest[-2][2]
    assert one("x = 1", "pine")[1] == "hint"


MARKS = ["{{", "}}", '"', "'", "\\", "\n", "{", "}", "[", "]", ":", ",", "(", ")", "=", "+", "//", "\0", "é"]
WORDS = ["alert", "alert_message", "{{close}}", '"connectorToken":', f'"{TOKEN}"', "action", '{{plot("']
PIECES = st.sampled_from([*MARKS, *WORDS])


@given(st.lists(PIECES | st.text(max_size=4), max_size=40), st.sampled_from(["json", "jsonl", "csv", "pine"]))
@example(["{{", "{"], "json")
def test_anything_is_taken(pieces: list[str], kind: Kind) -> None:
    for shape in (None, "template", "messages"):
        for hit in examine("".join(pieces).encode("utf-8", "replace"), kind, shape):  # type: ignore[arg-type]
            assert isinstance(hit, Finding)
            assert "\n" not in hit.text
            assert TOKEN not in hit.text + hit.advice


@given(st.binary(max_size=200), st.sampled_from(["json", "jsonl", "csv", "pine"]))
def test_any_bytes_are_taken(data: bytes, kind: Kind) -> None:
    assert all(hit.severity in Severity for hit in examine(data, kind))


SECRETS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=30).map(
    lambda text: f"Zq{text}"
)


@given(
    SECRETS,
    st.sampled_from(sorted({*GOOD, "log", "perecnt"})),
    st.booleans(),
    st.sampled_from(["json", "pine"]),
)
def test_no_token_is_shown_wherever_it_stands(secret: str, field: str, marked: bool, kind: Kind) -> None:
    text = message(
        connectorToken=secret,
        **{field: f"{{{{{secret}}}}}" if marked else secret} if field != "connectorToken" else {},
    )
    for body in (text, text[:-1], text + "}"):
        source = f"alert('{body}')" if kind == "pine" else body
        for hit in examine(source.encode(), kind):
            assert secret not in hit.text + hit.advice

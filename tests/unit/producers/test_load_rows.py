"""Reading files of signals: numbers, offsets, and what cannot be read."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.errors import LoadError
from producers.load import rows as rows_module
from producers.load.lines import LONGEST_LINE, Place
from producers.load.rows import Reader, Row, read_csv, read_json_lines
from worker.errors import InvalidSignal

HEAD = b"connectorName,action,percent,log\n"


def read(reader: Reader, data: bytes, start: Place = Place()) -> list[Row]:  # noqa: B008 - frozen
    return list(reader(io.BytesIO(data), start))


def told(found: list[Row]) -> list[tuple[int, Any]]:
    return [
        (row.line, str(row.source) if isinstance(row.source, InvalidSignal) else row.source) for row in found
    ]


def test_json_lines_with_blank_lines_crlf_mark_and_no_last_line_break() -> None:
    found = read(read_json_lines, b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"b":2}')
    assert told(found) == [(1, b'{"a":1}\r\n'), (4, b'{"b":2}')]
    assert found[-1].end == Place(offset=23, line=4)


def test_a_line_beyond_reason_is_cut_and_the_next_one_is_whole() -> None:
    found = read(read_json_lines, b"x" * (3 * LONGEST_LINE) + b"\n{}\n")
    assert told(found) == [(1, f"the line is longer than {LONGEST_LINE} bytes"), (2, b"{}\n")]
    assert len(found[0].raw) == LONGEST_LINE


def test_csv_with_cells_over_several_lines() -> None:
    found = read(read_csv, b"\xef\xbb\xbf" + HEAD + b'a,buy,1,"x\ny"\r\n\r\nb,buy,,\n')
    assert told(found) == [
        (2, {"connectorName": "a", "action": "buy", "percent": "1", "log": "x\ny"}),
        (5, {"connectorName": "b", "action": "buy"}),
    ]
    assert [row.raw for row in found] == [b'a,buy,1,"x\ny"\r\n', b"b,buy,,\n"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b"a,buy,1\n", "the row has 3 cells, the header has 4"),
        (b"a,buy,1,,\n", "the row has 5 cells, the header has 4"),
        (b'a,buy,1,"x"y\n', "the row is not valid CSV: ',' expected after '\"'"),
        (b"a,buy,1,\xff\n", "the row is not UTF-8 (byte 9)"),
        (b'a,buy,1,"x\n', "the row has a quote that is never closed"),
    ],
)
def test_a_bad_row_does_not_spoil_the_next(row: bytes, why: str) -> None:
    found = read(read_csv, HEAD + row + b"b,buy,2,\n")
    assert told(found) == [(2, why), (3, {"connectorName": "b", "action": "buy", "percent": "2"})]
    assert found[0].raw == row


def test_a_quote_that_is_never_closed_costs_one_line_even_in_a_large_file() -> None:
    rest = b"".join(b"c%d,buy,2,\n" % number for number in range(20_000))
    found = read(read_csv, HEAD + b'a,buy,1,"x\n' + rest)
    assert len(found) == 20_001
    assert [row.line for row in found if isinstance(row.source, InvalidSignal)] == [2]


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"connectorName,perecnt\n", "did you mean `percent`"),
        (b"connectorName,action,action\n", "names a field twice"),
        (b"connectorName;action\n", "not separated by commas"),
        (b"connectorName,position\n", "use JSON lines"),
        (b"connectorName,\n", "no field"),
        (b"alpha,0e9f7a52-8d53-4c6a-9f0e-3b1f7a2c4d5e\n", "no field"),
        (b'"connectorName\n', "cannot be read"),
    ],
)
def test_a_bad_header_ends_it_all_and_shows_no_value(header: bytes, why: str) -> None:
    with pytest.raises(LoadError, match=why) as caught:
        read(read_csv, header + b"a,b\n")
    assert "0e9f7a52" not in str(caught.value)


def test_files_without_anything() -> None:
    assert read(read_csv, b"") == []
    assert read(read_csv, HEAD) == []
    assert read(read_json_lines, b"\n\n") == []


TEXTS = st.lists(
    st.sampled_from(
        [b"a", b",", b'"', b"\n", b"\r\n", b'"x"', b"a,buy,1,x\n", b'a,buy,1,"x\ny"\n', b"\xff", b"{}"]
    ),
    max_size=25,
).map(b"".join)


@given(TEXTS)
@pytest.mark.parametrize("reader", [read_csv, read_json_lines])
def test_reading_can_go_on_behind_any_row(reader: Reader, data: bytes) -> None:
    """Whatever the file holds: no line is lost, none is read twice, and line numbers stay right."""
    whole = HEAD + data
    longest, rows_module.LONGEST_ROW = rows_module.LONGEST_ROW, 40
    try:
        found = read(reader, whole)
        for done, row in enumerate(found, 1):
            assert (
                whole[: row.end.offset].count(b"\n") + (not whole.endswith(b"\n", 0, row.end.offset))
                == row.end.line
            )
            assert told(read(reader, whole, row.end)) == told(found[done:])
    finally:
        rows_module.LONGEST_ROW = longest
    kept = b"".join(row.raw for row in found)
    header = HEAD if reader is read_csv else b""
    assert [line for line in kept.splitlines() if line.strip()] == [
        line for line in whole.removeprefix(header).splitlines() if line.strip()
    ]

"""The fields of an answer: read as http.client reads them, and never more than there may be."""

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.answer import Body, Head, body_of, read_head


def head(text: bytes) -> Head:
    return read_head(io.BufferedReader(io.BytesIO(text)))


TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!#$%&'*+.^`|~", min_size=1)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_categories=["Cc", "Zs"]))


@given(st.lists(st.tuples(TOKENS.filter(lambda name: name.lower() != "content-length"), VALUES), max_size=20))
def test_well_formed_fields_are_those_that_http_client_finds(fields: list[tuple[str, str]]) -> None:
    text = "".join(f"{name}: {value}\r\n" for name, value in fields).encode("latin-1") + b"\r\n"
    theirs = http.client.parse_headers(io.BytesIO(text))
    ours = head(text)
    assert ours.fields == {name.lower(): theirs.get_all(name) for name in theirs}
    assert not ours.doubtful


@given(st.binary(max_size=300))
def test_whatever_comes_it_is_a_head_or_no_http(text: bytes) -> None:
    try:
        found = head(text)
    except http.client.HTTPException:
        return
    assert all(name == name.strip().lower() and name for name in found.fields)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (b"", None),
        (b"Content-Length: 2\r\n", 2),
        (b"content-length:2\n", 2),
        (b"Content-Length: 2\r\nContent-Length: 2\r\n", 2),
        (b"Content-Length: 2, 2,\r\n", 2),
        (b"Content-Length: -2\r\n", None),
        (b"Content-Length: +2\r\n", None),
        (b"Content-Length: \xb2\r\n", None),
        (b"Content-Length: zwei\r\n", None),
        (b"Content-Length:\r\n", None),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", None),
        (b"Content-Length : 2\r\n", None),
        (b"X: a\r\n Content-Length: 2\r\n", None),
    ],
)
def test_a_length_counts_if_there_is_one_and_it_is_a_number(text: bytes, length: int | None) -> None:
    assert body_of(200, head(text + b"\r\n").fields) == Body(False, length, False)


@pytest.mark.parametrize(
    "text", [b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n", b"Content-Length: 2, 3\r\n\r\n"]
)
def test_two_lengths_are_none(text: bytes) -> None:
    with pytest.raises(http.client.HTTPException, match="more than one length"):
        body_of(200, head(text).fields)


@pytest.mark.parametrize(
    ("codings", "length", "body"),
    [
        (["chunked"], [], Body(True, None, False)),
        (["Chunked"], [], Body(True, None, False)),
        (["chunked"], ["2"], Body(True, None, True)),
        (["chunked", "chunked"], [], Body(True, None, True)),
        (["chunked, chunked"], ["2"], Body(True, None, True)),
        (["gzip, chunked"], ["2"], Body(False, 2, True)),
        (["identity"], [], Body(False, None, True)),
        ([""], ["2"], Body(False, 2, True)),
    ],
)
def test_a_body_whose_end_others_may_see_elsewhere_is_doubtful(
    codings: list[str], length: list[str], body: Body
) -> None:
    fields = {"transfer-encoding": codings, **({"content-length": length} if length else {})}
    assert body_of(200, fields) == body


@pytest.mark.parametrize("status", [101, 204, 304])
@pytest.mark.parametrize(
    ("fields", "doubtful"),
    [
        ({}, False),
        ({"content-length": ["0"]}, False),
        ({"content-length": ["2"]}, True),
        ({"transfer-encoding": ["chunked"]}, True),
    ],
)
def test_an_answer_that_must_have_no_body_has_none(
    status: int, fields: dict[str, list[str]], doubtful: bool
) -> None:
    assert body_of(status, fields) == Body(False, 0, doubtful)


@pytest.mark.parametrize(
    "line",
    [b"nonsense", b": 2", b" : 2", b"Content-Length : 2", b"\tfolded", b"Content-Length\0: 2", b"a,b: c"],
)
def test_a_line_that_is_no_field_makes_the_answer_doubtful_and_hides_no_other(line: bytes) -> None:
    found = head(line + b"\r\nRetry-After: 5\r\n\r\n")
    assert found.doubtful
    assert found.fields == {"retry-after": ["5"]}


def test_a_field_that_hides_in_a_line_makes_the_answer_doubtful() -> None:
    assert head(b"X: a\rConnection: close\r\n\r\n").doubtful


def test_a_folded_line_belongs_to_the_one_before() -> None:
    assert head(b"X: a\r\n\t b\r\nY: c\r\n\r\n").fields == {"x": ["a b"], "y": ["c"]}


@pytest.mark.parametrize("text", [b"X: y\r\n" * 101, b"X: " + b"y" * 70_000, b"y" * 70_000])
def test_a_head_without_end_is_given_up(text: bytes) -> None:
    with pytest.raises(http.client.HTTPException, match="endless head"):
        head(text + b"\r\n\r\n")


@pytest.mark.parametrize("text", [b"", b"X: y\r\n", b"X: y\r\nRetr", b"X: y\r\nRetry-After: 5\r"])
def test_a_head_that_is_cut_short_is_no_answer(text: bytes) -> None:
    with pytest.raises(http.client.IncompleteRead):
        head(text)

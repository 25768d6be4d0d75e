"""Reading model servers' answers: however they are cut, and whatever is wrong with them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.hosting.answer import Answer, AnswerReader, BadAnswer

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 4\r\n\r\n0.5\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n0.5\r\n1\r\n\n\r\n0\r\nT: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN


def feed(pieces: list[bytes]) -> tuple[AnswerReader, Answer | None]:
    reader = AnswerReader()
    answer = None
    for piece in pieces:
        assert answer is None
        answer = reader.feed(piece)
    return reader, answer


@pytest.mark.parametrize("whole", [PLAIN, CHUNKED, INTERIM])
def test_an_answer_in_one_piece(whole: bytes) -> None:
    reader, answer = feed([whole])
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"0.5\n")
    assert reader.reusable


@given(st.sampled_from([PLAIN, CHUNKED, INTERIM]), st.lists(st.integers(1, 90), max_size=8))
def test_an_answer_cut_anywhere_is_the_same(whole: bytes, cuts: list[int]) -> None:
    at = sorted({0, len(whole), *(cut % len(whole) for cut in cuts)})
    _, answer = feed([whole[start:end] for start, end in pairwise(at)])
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"0.5\n")


def test_headers_are_found_in_any_case() -> None:
    _, answer = feed([PLAIN])
    assert answer is not None
    assert answer.header(b"content-type") == b"text/csv"
    assert answer.header(b"x-other") is None


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    reader, answer = feed([b"HTTP/1.1 200 OK\r\n\r\nab", b"c"])
    assert answer is None
    assert not reader.reusable
    ended = reader.end()
    assert ended is not None
    assert ended.body == b"abc"


def test_no_content_has_no_body() -> None:
    _, answer = feed([b"HTTP/1.1 204 No Content\r\n\r\n"])
    assert answer is not None
    assert (answer.status, answer.body) == (204, b"")


def test_a_server_that_closes_is_not_asked_again() -> None:
    reader, answer = feed([b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"])
    assert answer is not None
    assert not reader.reusable


@pytest.mark.parametrize(
    "bad",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 99 No\r\n\r\n",
        b"HTTP/1.1 2000\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy",
        PLAIN + PLAIN,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000,
    ],
)
def test_what_is_no_answer_is_refused(bad: bytes) -> None:
    reader = AnswerReader()
    with pytest.raises(BadAnswer):
        reader.feed(bad)


@pytest.mark.parametrize("cut", [b"", PLAIN[:10], PLAIN[:-1], CHUNKED[:-3]])
def test_an_answer_that_breaks_off_is_refused(cut: bytes) -> None:
    reader = AnswerReader()
    assert reader.feed(cut) is None if cut else True
    with pytest.raises(BadAnswer):
        reader.end()


@given(st.binary(max_size=300))
def test_noise_is_refused_or_awaited_never_another_error(noise: bytes) -> None:
    reader = AnswerReader()
    try:
        reader.feed(noise)
        reader.end()
    except BadAnswer:
        pass

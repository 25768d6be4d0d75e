"""One row of CSV is read in one go where it is plain, and just as it is read with care."""

from __future__ import annotations

import math

import pytest

from cloche_jobs.algorithms.xgboost import payloads
from cloche_jobs.algorithms.xgboost.payloads import parse_csv

BODIES = [
    *(
        b"1",
        b"1,2.5",
        b" 1 , -2e3\t",
        b"1,2\n",
        b"\n1,2\r\n",
        b"1\r,2",
        b"+1,.5",
        b"1_0,2",
        b"1,1e39",
        "\uff11,\u0662".encode(),
    ),
    *(b"1,2\n3,4", b"1;2", b"1;2\n3;4", b"1\n2", b"1,2\n\n", b"7\t8"),
]
ODD = [b"1,\n2", b"1\n,2", b"1,2\n3", b"a,b", b"1,2,x", b"1,inf", b"-inf", b"\xff,1", b"1,2\n,x"]


@pytest.mark.parametrize("body", BODIES)
def test_numbers(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = parse_csv(body)
    monkeypatch.setattr(payloads, "_plain_row", lambda text: None)
    assert quick == parse_csv(body)


@pytest.mark.parametrize("body", [b"1,,3", b",", b"nan,1", b"1,"])
def test_missing_values(body: bytes) -> None:
    (row,) = parse_csv(body)
    cells = body.decode().split(",")
    assert [math.isnan(value) for value in row] == [cell in ("", "nan") for cell in cells]


@pytest.mark.parametrize("body", ODD)
def test_what_is_refused_is_refused_in_the_same_words(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError) as quick:
        parse_csv(body)
    monkeypatch.setattr(payloads, "_plain_row", lambda text: None)
    with pytest.raises(ValueError) as careful:
        parse_csv(body)
    assert str(quick.value) == str(careful.value)

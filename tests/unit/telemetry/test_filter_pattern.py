"""Filter patterns against messages."""

from __future__ import annotations

import pytest

from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.logs.filter_pattern import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("   ", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR disk", "disk ERROR", True),
        ("ERROR disk", "ERROR", False),
        ('"disk full"', "the disk full again", True),
        ('"disk full"', "full disk", False),
        ('"say \\"hi\\""', 'they say "hi"', True),
        ("?WARN ?ERROR", "WARN x", True),
        ("?WARN ?ERROR", "ERROR x", True),
        ("?WARN ?ERROR", "INFO x", False),
        ("ERROR -health", "ERROR health", False),
        ("ERROR -health", "ERROR x", True),
        ('-"health check"', "a health check", False),
        ("-health", "x", True),
        ("train:rmse", "[3]#011train:rmse:0.1", True),
        ("ERROR ?WARN", "ERROR", True),
        ("ERROR ?WARN", "WARN", False),
    ],
)
def test_matching(pattern: str, message: str, expected: bool) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize("pattern", ['"open', "a{b", "x]"])
def test_what_cannot_be_read(pattern: str) -> None:
    with pytest.raises(Invalid, match="Invalid filter pattern"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "kind"), [("{ $.a = 1 }", "JSON"), ("[a, b]", "space-delimited"), ("%x.*%", "regular-expression")]
)
def test_kinds_that_are_refused_by_name(pattern: str, kind: str) -> None:
    with pytest.raises(NotSupported, match=kind):
        compile_pattern(pattern)

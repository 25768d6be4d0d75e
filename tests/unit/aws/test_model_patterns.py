"""Java's patterns, in bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.aws.model import load
from cloche.aws.patterns import analysis, automaton, compiled, java


@pytest.mark.parametrize(
    ("source", "text", "fits"),
    [
        (r"[\w+=,.@-]*", "PowerUser/x", False),
        (r"[\w+=,.@-]*", "é", False),  # \w is ASCII in Java
        (r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$", "Größe 5/漢字", True),
        (r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$", "a;b", False),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "ok 🙂", True),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "\x01", False),
        (r"\p{Alnum}+", "a1", True),
        (r"[\P{C}\s]+", "a\x00", False),
        (r"[\d-_]+", "1-_", True),
        (r"[a-z[0-9]]+", "a1", True),
        (r"[&&]", "&", True),
        (r".*", "a\nb", False),
        (r"(?s).*", "a\nb", True),
        (r"^a\z", "a", True),
        (r"ab", "ab\n", False),
        (r"a++b", "aaab", True),
        (r"(?!aws:)[a-z:]+", "aws:x", False),
        (r"(?i)true|false", "TRUE", True),
        (r"\x{1F600}", "😀", True),
        (r"\Qa.b\E", "a.b", True),
        (r"(arn:[a-z:-]*/)?([a-z]([a-z-]){0,62})(?<!-)(\/[0-9]{1,9})?", "arn:" + "a" * 70 + "/group/12", True),
        (r"(arn:[a-z:-]*/)?([a-z]([a-z-]){0,62})(?<!-)(\/[0-9]{1,9})?", "arn:" + "a" * 70 + "/group-/12", False),
        (r"\S", "  a  ", True),  # one character: found somewhere
        (r".*(?:[ \r\n\t].*)*", '{"Steps": [\n\t1 ]}\r\n', True),
        (r".*(?:[ \r\n\t].*)*", '{"Steps": []}\n' * 80_000, True),  # a definition of a megabyte
        (r".*(?:[ \r\n\t].*)*", "a\u2028b", False),
        (r".*(?:[ \r\n\t].*)*.*", "a\x85b", False),
    ],
)
def test_the_dialect(source: str, text: str, fits: bool) -> None:
    if source == "[&&]":
        assert compiled(source).problem
        return
    assert compiled(source).fits(text) is fits


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", "deterministic"),
        (r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+", "polynomial"),
        (r"(a+)+b", "automaton"),
        (r"(a|a)*b", "automaton"),
        (r"(a*)*b", "automaton"),
        (r"(.*)(.*)(.*)x", "polynomial"),
    ],
)
def test_how_each_is_matched(source: str, kind: str) -> None:
    assert compiled(source).kind == kind


@pytest.mark.parametrize("source", [r"(a+)+b", r"(a|a)*b", r"(a|aa)+b", r"(.*)(.*)(.*)(.*)(.*)x", r"(a?){40}a{40}b"])
def test_no_text_takes_for_ever(source: str) -> None:
    assert not compiled(source).fits("a" * 30_000)


ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", "ab", "."])


def patterns(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return ATOMS
    inner = patterns(depth - 1)
    count = st.sampled_from(["*", "+", "?", "{0,2}", "{2}", "{1,}"])
    return st.one_of(
        ATOMS,
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, count).map(lambda pair: f"({pair[0]}){pair[1]}"),
    )


PATTERNS = patterns(3)


@given(PATTERNS, st.text("abc", max_size=7))
def test_the_automaton_agrees_with_re(source: str, text: str) -> None:
    import re

    translated = java.translate(source)
    expected = re.compile(translated, re.ASCII).fullmatch(text) is not None
    assert automaton.of(analysis.parse(translated)).fits(text, 10**6) is expected


@given(PATTERNS)
def test_what_is_called_deterministic_never_tries_again(source: str) -> None:
    if compiled(source).kind == "deterministic":
        compiled(source).fits("ab" * 3_000 + "c")
        compiled(source).fits("a" * 6_000 + "c")


def test_the_patterns_of_cloches_services_are_all_understood() -> None:
    for name in ("sagemaker", "sagemaker-runtime", "s3", "iam", "sts", "logs", "cloudwatch"):
        for shape in load.raw_model(name)["shapes"].values():
            if "pattern" in shape:
                assert compiled(shape["pattern"]).problem == "", shape["pattern"]

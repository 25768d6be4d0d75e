"""Wildcards against a plain reference, and against patterns made to be slow."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloche.engines.identity.policy.patterns import Variable, Wild, matcher, matches, resolve, tokens


def reference(pattern: str, text: str) -> bool:
    """The table of all prefixes: slow and plainly right."""
    row = [True] + [False] * len(text)
    for sign in pattern:
        below = [row[0] and sign == "*"]
        for place, letter in enumerate(text):
            if sign == "*":
                below.append(row[place + 1] or below[place])
            else:
                below.append(row[place] and sign in ("?", letter))
        row = below
    return row[-1]


letters = st.text(alphabet="ab:/", max_size=12)
globs = st.text(alphabet="ab:/*?", max_size=10)


@given(globs, letters)
@example("*a*b", "aab")
@example("*ab", "aab")
@example("a*?b", "ab")
@example("**", "")
def test_whole_texts_match_as_in_the_reference(pattern: str, text: str) -> None:
    assert matches(pattern, text) == reference(pattern, text)


@given(st.lists(st.text(alphabet="ab*?", max_size=5), min_size=6, max_size=6), st.lists(
    st.text(alphabet="ab", max_size=5), min_size=6, max_size=6))  # fmt: skip
def test_the_fields_of_an_arn_match_one_by_one(patterns: list[str], texts: list[str]) -> None:
    patterns[0] = texts[0] = "arn"
    expected = all(reference(pattern, text) for pattern, text in zip(patterns, texts, strict=True))
    assert matches(":".join(patterns), ":".join(texts), arn=True) == expected


def test_a_star_stays_in_its_field_but_for_the_last_one() -> None:
    other = "arn:aws:sagemaker:us-east-1:123456789012:training-job/x:y:domain/z"
    assert not matches("arn:aws:sagemaker:*:*:domain/*", other, arn=True)
    assert matches("arn:aws:sagemaker:*:*:training-job/*", other, arn=True)
    assert matches("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a:b/c", arn=True)
    assert matches("arn:aws:sqs", "arn:aws:sqs:eu-west-1:1:queue", arn=True)
    assert not matches("arn:aws:sqs", "arn:aws:sns:eu-west-1:1:queue", arn=True)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("*a" * 60 + "b", "a" * 4000), ("a*" * 60 + "b", "a" * 4000), ("*?a" * 40 + "b", "a" * 4000)],
)
def test_many_stars_do_not_multiply_the_work(pattern: str, text: str) -> None:
    """Each further star may cost a walk along the text at most. A matcher that backtracks never comes back here:
    the time-out of every test is what fails then."""
    assert not matches(pattern, text)
    assert not matches(f"arn:aws:s3:::{pattern}", f"arn:aws:s3:::{text}", arn=True)


def test_variables_and_escapes() -> None:
    parts = tokens("home/${aws:username}/${*}x*")
    assert parts == ("home/", Variable("aws:username", None), "/*x", Wild("*"))
    whole = resolve(parts, {"aws:username": "a*b"}.get)
    assert whole is not None
    assert matcher(whole)("home/a*b/*xyz")
    assert not matcher(whole)("home/axxb/*xyz"), "a value is no pattern"
    assert resolve(parts, {}.get) is None
    assert resolve(tokens("${aws:username, 'nobody'}"), {}.get) == ("nobody",)
    assert tokens("${aws:username}", variables=False) == ("${aws:username}",)

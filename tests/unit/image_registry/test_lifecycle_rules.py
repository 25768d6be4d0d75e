"""Lifecycle policies as AWS's user guide explains them: its examples, and what makes a policy none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche.engines.image_registry.lifecycle_rules import DAY, Candidate, evaluate, read
from cloche.foundation.errors import Invalid, NotSupported

NOW = 1_000_000_000.0


def rule(priority: int, count: int, by: str = "imageCountMoreThan", **selection: Any) -> dict[str, Any]:
    selection = {"tagStatus": "any", "countType": by, "countNumber": count, **selection}
    if by != "imageCountMoreThan":
        selection.setdefault("countUnit", "days")
    return {"rulePriority": priority, "selection": selection, "action": {"type": "expire"}}


def tagged(priority: int, count: int, *prefixes: str, by: str = "imageCountMoreThan") -> dict[str, Any]:
    return rule(priority, count, by, tagStatus="tagged", tagPrefixList=list(prefixes))


def image(name: str, days: float, *tags: str, **more: Any) -> Candidate:
    return Candidate(name, tags, NOW - days * DAY, **more)


def expired(rules: list[dict[str, Any]], *images: Candidate) -> list[str]:
    return [each.image.digest for each in evaluate(read(json.dumps({"rules": rules})), images, NOW)]


A, B, C = image("A", 10, "beta-1", "prod-1"), image("B", 9, "beta-2", "prod-2"), image("C", 8, "beta-3")
"""userguide/lifecycle_policy_examples.html, "Filtering on multiple rules", which the next two tests are."""


def test_an_image_that_an_earlier_rule_keeps_is_not_for_a_later_one() -> None:
    assert expired([tagged(1, 1, "prod"), tagged(2, 1, "beta")], A, B, C) == ["A"]


def test_the_same_rules_in_the_other_order() -> None:
    assert expired([tagged(1, 1, "beta"), tagged(2, 1, "prod")], A, B, C) == ["A", "B"]


def test_all_prefixes_of_a_rule_must_be_found() -> None:
    """ "Filtering on multiple tags in a single rule"."""
    one, two = image("one", 12, "alpha-1"), image("two", 11, "beta-1")
    both, later = image("both", 10, "alpha-2", "beta-2"), image("later", 9, "alpha-3", "beta-3")
    assert expired([tagged(1, 1, "alpha", "beta")], one, two, both, later) == ["both"]


def test_a_rule_over_everything_counts_all_and_lets_go_what_is_left() -> None:
    """Production and beta keep one each, the rest is counted by age: in the manner of "Filtering on all images"."""
    rules = [tagged(1, 1, "prod"), tagged(2, 1, "beta"), rule(3, 10, "sinceImagePushed")]
    found = expired(
        rules,
        image("old prod", 30, "prod-1"),
        image("prod", 29, "prod-2"),
        image("beta", 28, "beta-1"),
        image("old", 11),
        image("new", 9),
    )
    assert found == ["old prod", "old"]


def test_age_counts_whole_days_since_the_push() -> None:
    rules = [rule(1, 14, "sinceImagePushed", tagStatus="untagged")]
    assert expired(rules, image("past", 14.0), image("not yet", 13.99), image("tagged", 20, "x")) == ["past"]


def test_age_since_the_last_pull_or_the_push() -> None:
    rules = [rule(1, 5, "sinceImagePulled")]
    pulled = image("pulled", 20, pulled_at=NOW - DAY)
    assert expired(rules, pulled, image("never", 20), image("new", 1)) == ["never"]


def test_wildcards_in_patterns() -> None:
    rules = [rule(1, 1, "sinceImagePushed", tagStatus="tagged", tagPatternList=["v*.*-rc"])]
    assert expired(rules, image("a", 3, "v1.0-rc"), image("b", 3, "v1.0"), image("c", 3, "v.-rc1")) == ["a"]


def test_what_a_list_names_stays() -> None:
    child = image("child", 30, parents=("list",))
    assert expired([rule(1, 1, "sinceImagePushed")], child, image("list", 0)) == []


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [rule(1, 0)],
        [rule(1, True)],  # type: ignore[arg-type]
        [rule(0, 1)],
        [rule(1, 1), rule(1, 2)],
        [rule(1, 1), tagged(2, 1, "a")],
        [rule(1, 1, "sinceImagePushed", countUnit="hours")],
        [rule(1, 1, countUnit="days")],
        [rule(1, 1, "whenever")],
        [rule(1, 1, tagStatus="tagged")],
        [tagged(1, 1, "a"), tagged(2, 1, "a")],
        [rule(1, 1, tagStatus="untagged"), rule(2, 1, tagStatus="untagged")],
        [rule(1, 1, tagStatus="untagged", tagPrefixList=["a"])],
        [rule(1, 1, tagStatus="tagged", tagPatternList=["*a*b*c*d*"])],
        [rule(1, 1, tagStatus="tagged", tagPatternList=["a"], tagPrefixList=["a"])],
        [{**rule(1, 1), "more": 1}],
        [{**rule(1, 1), "action": {"type": "delete"}}],
        ["no rule"],
    ],
)
def test_what_is_no_policy(rules: list[Any]) -> None:
    with pytest.raises(Invalid, match="Lifecycle policy validation failure: "):
        read(json.dumps({"rules": rules}))


def test_texts_that_are_no_policy() -> None:
    for text in ("", "[]", "{", '{"rules": {}}', "[" * 100_000):
        with pytest.raises(Invalid):
            read(text)


def test_the_archive_is_refused_by_name() -> None:
    transition = {**rule(1, 1), "action": {"type": "transition", "targetStorageClass": "archive"}}
    for given in (transition, rule(1, 1, storageClass="archive")):
        with pytest.raises(NotSupported, match="archive"):
            read(json.dumps({"rules": [given]}))

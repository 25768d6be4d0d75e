"""Lifecycle policies: which images of a repository they let go. Pure.

Grammar and meaning: docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html and
LifecyclePolicies.html, "How lifecycle policies work". Rules are applied by priority, the least first. An image that has
the tags a rule asks for is never let go by a later rule, whatever it counts; a later rule still counts it. What a list
names stays for as long as the list does. Older images go before newer ones.

The words of refusals are ECR's as far as getmoto/moto has recorded them (moto/ecr/policy_validation.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloche.foundation.errors import Invalid, NotSupported

DAY: Final = 86_400.0
PRIORITY_MAX: Final = 999
WILDCARDS_MAX: Final = 4
_RULE: Final = ({"rulePriority", "selection", "action"}, {"description"})
_SELECTION: Final = (
    {"tagStatus", "countType", "countNumber"},
    {"tagPrefixList", "tagPatternList", "countUnit", "storageClass"},
)
_ACTION: Final = ({"type"}, {"targetStorageClass"})
_BY_AGE: Final = frozenset({"sinceImagePushed", "sinceImagePulled"})


@dataclass(frozen=True, slots=True)
class Rule:
    priority: int
    tag_status: str
    """``tagged``, ``untagged`` or ``any``."""
    patterns: tuple[re.Pattern[str], ...]
    """Each must match one of an image's tags."""
    count_type: str
    count: int

    def selects(self, tags: Sequence[str]) -> bool:
        if self.tag_status == "any":
            return True
        if self.tag_status == "untagged":
            return not tags
        return all(any(pattern.fullmatch(tag) for tag in tags) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image as a policy sees it. Times in seconds since 1970."""

    digest: str
    tags: Sequence[str]
    pushed_at: float
    pulled_at: float | None = None
    parents: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Expiring:
    image: Candidate
    priority: int


def evaluate(rules: Iterable[Rule], images: Sequence[Candidate], now: float) -> list[Expiring]:
    """What is to go, oldest first."""
    oldest_first = sorted(images, key=lambda image: (image.pushed_at, image.digest))
    settled: set[str] = set()
    expiring: dict[str, Expiring] = {}
    for rule in sorted(rules, key=lambda rule: rule.priority):
        selected = [image for image in oldest_first if rule.selects(image.tags)]
        for image in _surplus(rule, selected, now):
            if image.digest not in settled:
                expiring[image.digest] = Expiring(image, rule.priority)
        settled.update(image.digest for image in selected)
    return [expiring[image.digest] for image in oldest_first if image.digest in expiring and not image.parents]


def _surplus(rule: Rule, selected: list[Candidate], now: float) -> list[Candidate]:
    if rule.count_type == "imageCountMoreThan":
        return selected[: max(len(selected) - rule.count, 0)]
    before = now - rule.count * DAY
    if rule.count_type == "sinceImagePulled":
        return [image for image in selected if (image.pulled_at or image.pushed_at) <= before]
    return [image for image in selected if image.pushed_at <= before]


# -- reading -------------------------------------------------------------------------------------------------


def read(text: str) -> list[Rule]:
    """Raises ``Invalid`` in ECR's words, ``NotSupported`` for the archive storage class."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _failure("Could not map policyString into LifecyclePolicy.")
    if not isinstance(document.get("rules"), list):
        raise _failure('object has missing required properties (["rules"])')
    if unknown := sorted(document.keys() - {"rules"}):
        raise _failure(f"object instance has properties which are not allowed by the schema: {json.dumps(unknown)}")
    if not document["rules"]:
        raise _failure("array is too short: must have at least 1 elements but instance has 0 elements")
    rules = [_rule(each) for each in document["rules"]]
    _check_together(rules)
    return rules


def _check_together(rules: Sequence[Rule]) -> None:
    priorities = [rule.priority for rule in rules]
    if len(set(priorities)) != len(priorities):
        raise _failure("rulePriority must be unique")
    if sum(rule.tag_status == "untagged" for rule in rules) > 1:
        raise _failure("only one rule may select untagged images")
    everything = [rule.priority for rule in rules if rule.tag_status == "any"]
    if len(everything) > 1 or (everything and everything[0] != max(priorities)):
        raise _failure("a rule with tagStatus any must have the highest rulePriority")
    said = [tuple(sorted(pattern.pattern for pattern in rule.patterns)) for rule in rules if rule.patterns]
    if len(set(said)) != len(said):
        raise _failure("the tag prefixes and patterns of each rule must be unique")


def _rule(given: Any) -> Rule:
    _check_members(given, _RULE)
    selection, action, priority = given["selection"], given["action"], given["rulePriority"]
    _check_members(action, _ACTION)
    _check_members(selection, _SELECTION)
    if not _is_whole(priority) or not 1 <= priority <= PRIORITY_MAX:
        raise _failure(f"rulePriority must be between 1 and {PRIORITY_MAX}")
    if not isinstance(given.get("description", ""), str):
        raise _failure("description must be a string")
    if action["type"] == "transition" or selection.get("storageClass", "standard") != "standard":
        raise NotSupported("Cloche has no archive storage class: a lifecycle policy can only expire images in standard")
    if action["type"] != "expire" or "targetStorageClass" in action:
        raise _failure(f'instance value ({action["type"]}) not found in enum (possible values: ["expire"])')
    status, count_type, count = selection["tagStatus"], selection["countType"], selection["countNumber"]
    if status not in ("any", "tagged", "untagged"):
        values = '["any","tagged","untagged"]'
        raise _failure(f"instance value ({json.dumps(status)}) not found in enum (possible values: {values})")
    _check_count(selection, count_type, count)
    return Rule(priority, status, _patterns(selection, status), count_type, count)


def _check_count(selection: Mapping[str, Any], count_type: Any, count: Any) -> None:
    if count_type not in _BY_AGE and count_type != "imageCountMoreThan":
        raise _failure("instance failed to match exactly one schema (matched 0 out of 2)")
    if not _is_whole(count) or count < 1:
        raise _failure(f"numeric instance is lower than the required minimum (minimum: 1, found: {json.dumps(count)})")
    if count_type in _BY_AGE and selection.get("countUnit") != "days":
        unit = json.dumps(selection.get("countUnit"))
        raise _failure(f'instance value ({unit}) not found in enum (possible values: ["days"])')
    if count_type not in _BY_AGE and "countUnit" in selection:
        raise _failure("countUnit is only for a countType of days")


def _patterns(selection: Mapping[str, Any], status: str) -> tuple[re.Pattern[str], ...]:
    prefixes, patterns = selection.get("tagPrefixList"), selection.get("tagPatternList")
    given = prefixes if prefixes is not None else patterns
    if status != "tagged":
        if given:
            raise _failure(f"tagPrefixList and tagPatternList are not for a tagStatus of {status}")
        return ()
    if (prefixes is not None) == (patterns is not None):
        raise _failure("a tagStatus of tagged needs either tagPrefixList or tagPatternList")
    if not isinstance(given, list) or not given or not all(isinstance(each, str) and each for each in given):
        raise _failure("tagPrefixList and tagPatternList are lists of one text or more")
    if patterns is not None and any(each.count("*") > WILDCARDS_MAX for each in patterns):
        raise _failure(f"a tag pattern may have {WILDCARDS_MAX} wildcards at most")
    return tuple(_compiled(each if prefixes is None else f"{each.replace('*', '')}*") for each in given)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))


def _check_members(given: Any, members: tuple[set[str], set[str]]) -> None:
    needed, further = members
    if not isinstance(given, dict):
        raise _failure('instance type does not match any allowed primitive type (allowed: ["object"])')
    if missing := sorted(needed - given.keys()):
        raise _failure(f"object has missing required properties ({json.dumps(missing)})")
    if unknown := sorted(given.keys() - needed - further):
        raise _failure(f"object instance has properties which are not allowed by the schema: ({json.dumps(unknown)})")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _failure(reason: str) -> Invalid:
    return Invalid(
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: "
        f"'Lifecycle policy validation failure: {reason}'",
        field="lifecyclePolicyText",
    )

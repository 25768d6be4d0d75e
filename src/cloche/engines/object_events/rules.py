"""A bucket's notification configuration: who is told of which events, of which keys.

docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

KINDS: Final = {
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}
"""Members of a configuration, and where each names its destination."""
EVENTS: Final = frozenset(
    {
        *("ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload"),
        *("ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated"),
        *("LifecycleExpiration:Delete", "LifecycleExpiration:DeleteMarkerCreated", "LifecycleTransition"),
        *("ObjectTagging:Put", "ObjectTagging:Delete", "ObjectAcl:Put", "ReducedRedundancyLostObject"),
    }
)
"""Those that happen here; nothing of reduced redundancy is ever lost."""


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    arn: str
    events: tuple[str, ...]
    """As ``ObjectCreated:*``, without ``s3:``."""
    prefix: str = ""
    suffix: str = ""

    def wants(self, event: str, key: str) -> bool:
        return (
            key.startswith(self.prefix)
            and key.endswith(self.suffix)
            and any(names_event(each, event) for each in self.events)
        )


def names_event(pattern: str, event: str) -> bool:
    return pattern == event or (pattern.endswith(":*") and event.startswith(pattern[:-1]))


def rules_of(configuration: Mapping[str, Any]) -> Iterator[Rule]:
    for kind, member in KINDS.items():
        for each in configuration.get(kind) or ():
            found = (each.get("Filter") or {}).get("Key") or {}
            parts = {rule["Name"].lower(): rule.get("Value") or "" for rule in found.get("FilterRules") or ()}
            events = tuple(event.removeprefix("s3:") for event in each["Events"])
            yield Rule(each.get("Id", ""), each[member], events, parts.get("prefix", ""), parts.get("suffix", ""))


def overlapping(rules: Sequence[Rule]) -> bool:
    """Could one event of one key be meant by two of them?"""
    return any(
        _share_events(one, other) and _share_keys(one, other)
        for at, one in enumerate(rules)
        for other in rules[at + 1 :]
    )


def _share_events(one: Rule, other: Rule) -> bool:
    return any(names_event(a, b) or names_event(b, a) for a in one.events for b in other.events)


def _share_keys(one: Rule, other: Rule) -> bool:
    prefixes = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
    return prefixes and (one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix))

"""A bucket's lifecycle rules: which objects they are about, and when something is due.

Rules come as the caller's configuration has them (JSON under AWS's names, checked when it was set). A day counts as S3
counts it: the time plus the days, rounded up to the next midnight in UTC
(docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html, "How lifecycle rules are calculated").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cloche.storage.objects.records import Bucket, ObjectInfo

ASPECT: Final = "Lifecycle"
"""The aspect of a bucket's configuration that holds its rules."""
TRANSITION_BYTES_MIN: Final = 128 * 1024
"""Smaller objects are not moved unless a rule says sizes (docs.aws.amazon.com/AmazonS3/latest/userguide/
lifecycle-transition-general-considerations.html)."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Transition:
    storage_class: str
    days: int | None = None
    date: datetime | None = None
    newer_versions: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One enabled rule. ``None`` for what it does not do."""

    id: str
    prefix: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    size_above: int | None = None
    size_below: int | None = None
    expiration_days: int | None = None
    expiration_date: datetime | None = None
    removes_lone_markers: bool = False
    noncurrent_days: int | None = None
    newer_noncurrent_versions: int = 0
    abort_days: int | None = None
    transitions: tuple[Transition, ...] = ()
    noncurrent_transitions: tuple[Transition, ...] = ()

    def is_about(self, info: ObjectInfo) -> bool:
        """A delete marker has neither tags nor a size, so a rule that asks for them is not about it."""
        if not info.key.startswith(self.prefix):
            return False
        if any(info.details.tags.get(key) != value for key, value in self.tags.items()):
            return False
        sized = self.size_above is not None or self.size_below is not None
        if info.is_delete_marker and sized:
            return False
        if self.size_above is not None and info.size <= self.size_above:
            return False
        return self.size_below is None or info.size < self.size_below

    def expires_at(self, info: ObjectInfo) -> datetime | None:
        """When the current version ``info`` is due."""
        return _due(info.last_modified, self.expiration_days, self.expiration_date)

    def noncurrent_expires_at(self, since: datetime, newer: int) -> datetime | None:
        """When a version is due that has not been current since then and has ``newer`` noncurrent ones above it."""
        if newer < self.newer_noncurrent_versions:
            return None
        return _due(since, self.noncurrent_days, None)

    def storage_class(self, info: ObjectInfo, now: datetime) -> str:
        """The class that the current version ought to be in by now; empty for no change."""
        return self._moved(info, self.transitions, info.last_modified, 0, now)

    def noncurrent_storage_class(self, info: ObjectInfo, since: datetime, newer: int, now: datetime) -> str:
        return self._moved(info, self.noncurrent_transitions, since, newer, now)

    def _moved(
        self, info: ObjectInfo, transitions: Iterable[Transition], since: datetime, newer: int, now: datetime
    ) -> str:
        sized = self.size_above is not None or self.size_below is not None
        if info.size < TRANSITION_BYTES_MIN and not sized:
            return ""
        due = [
            (at, transition.storage_class)
            for transition in transitions
            if newer >= transition.newer_versions
            and (at := _due(since, transition.days, transition.date)) is not None
            and at <= now
        ]
        wanted = max(due)[1] if due else ""
        return "" if wanted == info.details.storage_class else wanted


def next_midnight(at: datetime) -> datetime:
    """The first midnight (UTC) that is not before ``at``."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == at else midnight + _DAY


def _due(since: datetime, days: int | None, date: datetime | None) -> datetime | None:
    if date is not None:
        return date
    return None if days is None else next_midnight(since + days * _DAY)


def rules_of(bucket: Bucket) -> tuple[Rule, ...]:
    """The bucket's enabled rules."""
    configured = bucket.configuration.get(ASPECT)
    if not configured:
        return ()
    return tuple(_rule(given) for given in configured["Rules"] if given.get("Status") == "Enabled")


def expiration_of(rules: Iterable[Rule], info: ObjectInfo) -> tuple[datetime, str] | None:
    """When the current version ``info`` expires first, and the id of the rule that says so."""
    found = [(at, rule.id) for rule in rules if (at := rule.expires_at(info)) is not None and rule.is_about(info)]
    return min(found) if found else None


def abortion_of(rules: Iterable[Rule], key: str, initiated_at: datetime) -> tuple[datetime, str] | None:
    """When a multipart upload to ``key`` is aborted first, and the id of the rule that says so."""
    found = [
        (at, rule.id)
        for rule in rules
        if key.startswith(rule.prefix) and (at := _due(initiated_at, rule.abort_days, None)) is not None
    ]
    return min(found) if found else None


def _rule(given: Mapping[str, Any]) -> Rule:
    filtered: Mapping[str, Any] = given.get("Filter") or {}
    both: Mapping[str, Any] = filtered.get("And") or {}
    tags = [*both.get("Tags", []), *([filtered["Tag"]] if filtered.get("Tag") else [])]
    expiration: Mapping[str, Any] = given.get("Expiration") or {}
    noncurrent: Mapping[str, Any] = given.get("NoncurrentVersionExpiration") or {}
    return Rule(
        id=given["ID"],
        prefix=given.get("Prefix") or filtered.get("Prefix") or both.get("Prefix") or "",
        tags={tag["Key"]: tag["Value"] for tag in tags},
        size_above=_either(filtered, both, "ObjectSizeGreaterThan"),
        size_below=_either(filtered, both, "ObjectSizeLessThan"),
        expiration_days=expiration.get("Days"),
        expiration_date=_date(expiration.get("Date")),
        removes_lone_markers=bool(expiration.get("ExpiredObjectDeleteMarker")),
        noncurrent_days=noncurrent.get("NoncurrentDays"),
        newer_noncurrent_versions=noncurrent.get("NewerNoncurrentVersions") or 0,
        abort_days=(given.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
        transitions=tuple(
            Transition(one["StorageClass"], one.get("Days"), _date(one.get("Date")))
            for one in given.get("Transitions") or ()
        ),
        noncurrent_transitions=tuple(
            Transition(one["StorageClass"], one["NoncurrentDays"], None, one.get("NewerNoncurrentVersions") or 0)
            for one in given.get("NoncurrentVersionTransitions") or ()
        ),
    )


def _either(filtered: Mapping[str, Any], both: Mapping[str, Any], name: str) -> int | None:
    value = filtered.get(name)
    return both.get(name) if value is None else value


def _date(text: str | None) -> datetime | None:
    """Dates are kept as text, for configurations are JSON."""
    return None if text is None else datetime.fromisoformat(text)

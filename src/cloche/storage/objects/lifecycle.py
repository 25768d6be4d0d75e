"""Lifecycle at work: what a bucket's rules say is due is expired, removed, moved or aborted, through the store.

A round walks every bucket that has rules, page by page, and changes some hundred things a transaction. It keeps no
state: what a kill leaves undone, the next round finds due again. Each removal holds only for the version that the walk
saw (by its ``sequence``), so an object that is written while a round passes by is safe, and a locked version stays.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from cloche.foundation.clock import Clock
from cloche.storage.objects.errors import KeyNotFound, ObjectLocked, StoreError
from cloche.storage.objects.happened import EXPIRED, MOVED
from cloche.storage.objects.lifecycle_rules import ASPECT, Rule, abortion_of, rules_of
from cloche.storage.objects.records import Bucket, ObjectInfo
from cloche.storage.objects.store import Doomed, ObjectStore

log = logging.getLogger(__name__)

BATCH: Final = 500
PAGE: Final = 1000


@dataclass(slots=True)
class Done:
    """What a round found due, and did."""

    expired: int = 0
    """Current versions: removed, or covered by a delete marker."""
    removed: int = 0
    """Noncurrent versions and lone delete markers."""
    moved: int = 0
    aborted: int = 0


class Lifecycle:
    """``run`` from one thread at a time."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._stop = threading.Event()

    def stop(self) -> None:
        """Let a round that is under way end soon. What is left is found by the next one, after the next start."""
        self._stop.set()

    def run(self) -> Done:
        """One round over all buckets; a bucket in which something fails does not keep the others from theirs."""
        done = Done()
        for bucket in self._store.buckets.with_configuration(ASPECT):
            try:
                _Round(self._store, bucket, self._clock.now(), done, self._stop).run()
            except StoreError:
                log.exception("the lifecycle of bucket %s stopped half-way; the next round goes on", bucket.name)
        return done


@dataclass(slots=True)
class _Round:
    store: ObjectStore
    bucket: Bucket
    now: datetime
    done: Done
    stop: threading.Event
    rules: tuple[Rule, ...] = ()
    doomed: list[Doomed] = field(default_factory=list)

    def run(self) -> None:
        self.rules = rules_of(self.bucket)
        if any(rule.abort_days is not None for rule in self.rules):
            self._abort_uploads()
        newer: ObjectInfo | None = None
        noncurrent = 0
        for info, following in _with_next(self._versions()):
            lone = following is None or following.key != info.key
            if newer is None or newer.key != info.key:
                noncurrent = 0
                self._current(info, lone)
            else:
                self._noncurrent(info, newer.last_modified, noncurrent)
                noncurrent += 1
            newer = info
            if len(self.doomed) >= BATCH:
                self._remove()
        self._remove()

    def _versions(self) -> Iterator[ObjectInfo]:
        """All versions that a rule may be about: those under the rules' prefixes."""
        prefixes = sorted({rule.prefix for rule in self.rules})
        for prefix in prefixes:
            if any(prefix != other and prefix.startswith(other) for other in prefixes):
                continue  # a shorter prefix takes these along
            after = ("", "")
            while not self.stop.is_set():
                page = self.store.list_versions(self.bucket.name, prefix, after=after, limit=PAGE)
                yield from page.versions
                if not page.is_truncated:
                    break
                after = page.last

    def _current(self, info: ObjectInfo, lone: bool) -> None:
        rules = [rule for rule in self.rules if rule.is_about(info)]
        if any((at := rule.expires_at(info)) is not None and at <= self.now for rule in rules):
            if not info.is_delete_marker:
                self.doomed.append(Doomed(info.key, sequence=info.sequence))
                self.done.expired += 1
                return
            if lone:
                self._doom(info)
                return
        if info.is_delete_marker:
            if lone and any(rule.removes_lone_markers for rule in rules):
                self._doom(info)
            return
        for rule in rules:
            if wanted := rule.storage_class(info, self.now):
                self._move(info, wanted)
                return

    def _noncurrent(self, info: ObjectInfo, since: datetime, newer: int) -> None:
        rules = [rule for rule in self.rules if rule.is_about(info)]
        if any((at := rule.noncurrent_expires_at(since, newer)) is not None and at <= self.now for rule in rules):
            if not info.details.is_locked(self.now.timestamp()):
                self._doom(info)
            return
        for rule in rules:
            if not info.is_delete_marker and (wanted := rule.noncurrent_storage_class(info, since, newer, self.now)):
                self._move(info, wanted)
                return

    def _doom(self, info: ObjectInfo) -> None:
        self.doomed.append(Doomed(info.key, info.version, sequence=info.sequence))
        self.done.removed += 1

    def _remove(self) -> None:
        if not self.doomed:
            return
        doomed, self.doomed = self.doomed, []
        for answer in self.store.delete_many(self.bucket.name, doomed, cause=EXPIRED):
            if isinstance(answer, StoreError) and not isinstance(answer, ObjectLocked):
                raise answer

    def _move(self, info: ObjectInfo, storage_class: str) -> None:
        try:
            self.store.update_details(info, lambda details: replace(details, storage_class=storage_class), cause=MOVED)
        except KeyNotFound:
            return  # replaced meanwhile
        self.done.moved += 1

    def _abort_uploads(self) -> None:
        after = ("", "")
        while True:
            page = self.store.uploads.list(self.bucket.name, after=after, limit=PAGE)
            for upload in page.uploads:
                due = abortion_of(self.rules, upload.key, upload.initiated_at)
                if due is not None and due[0] <= self.now:
                    try:
                        self.store.uploads.abort(upload.bucket, upload.key, upload.id)
                    except StoreError:
                        continue  # completed or aborted meanwhile
                    self.done.aborted += 1
            if not page.is_truncated:
                return
            after = page.last


def _with_next(rows: Iterator[ObjectInfo]) -> Iterator[tuple[ObjectInfo, ObjectInfo | None]]:
    held: ObjectInfo | None = None
    for info in rows:
        if held is not None:
            yield held, info
        held = info
    if held is not None:
        yield held, None

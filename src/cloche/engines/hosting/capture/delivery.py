"""From a file of captured requests to an object of the user's bucket."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from cloche.engines.hosting.capture.lines import Lines
from cloche.engines.hosting.capture.pressing import Made
from cloche.engines.hosting.capture.spool import Label, Spool, read_label
from cloche.foundation.errors import Denied, Invalid, NotFound
from cloche.storage.objects import ConditionNotMet, ObjectStore, WriteCondition

log = logging.getLogger(__name__)

ONCE = WriteCondition(if_absent=True)


class Delivery:
    """Answers ``False`` where an object cannot be stored now; what the reason is, is said once for each endpoint.
    Nothing is done where it is there already: stored by a server that was killed right after."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._troubled: set[str] = set()
        """ARNs of endpoints whose records cannot be stored."""

    def store(self, source: Spool | Path) -> bool:
        """Make the lines here and now."""
        label = source.label if isinstance(source, Spool) else read_label(source)[0]
        return self._told(label, lambda: self._put(source, label))

    def take(self, label: Label, made: Made) -> bool:
        """Store the file of lines that the press has made; it is gone in any case."""
        try:
            return self._told(label, lambda: self._adopt(label, made))
        finally:
            made.path.unlink(missing_ok=True)

    def may(self, label: Label) -> bool:
        """Whether there is a bucket to store it in."""
        return self._told(label, lambda: self._objects.buckets.get(label.bucket))

    def _told(self, label: Label, act: Callable[[], object]) -> bool:
        try:
            act()
        except ConditionNotMet:
            pass
        except (NotFound, Invalid, Denied) as error:
            if label.endpoint not in self._troubled:
                log.warning("what %s captures cannot be stored: %s", label.endpoint, error.message)
            self._troubled.add(label.endpoint)
            return False
        except Exception:
            log.exception("%s, which was captured, could not be delivered", label.key)
            return False
        self._troubled.discard(label.endpoint)
        return True

    def _put(self, source: Spool | Path, label: Label) -> None:
        self._objects.buckets.get(label.bucket)  # before anything is made for one that is not there
        if isinstance(source, Spool):
            data, begin = source.data()
        else:
            data, begin = source.read_bytes(), read_label(source)[1]
        if text := b"".join(Lines(label.form, label.drawn).of(data, begin)):
            self._objects.put_bytes(label.bucket, label.key, text, condition=ONCE)

    def _adopt(self, label: Label, made: Made) -> None:
        """Its ETag is none of S3's MD5s: like that of any object which came as an upload in parts, here one part."""
        if not made.size:
            return
        sums = {"CRC32": made.crc32}
        tag = hashlib.md5(f"{label.key} {made.size} {made.crc32}".encode(), usedforsecurity=False).hexdigest()
        try:
            self._objects.take_part(label.bucket, label.key, made.path, made.size, f"{tag}-1", sums, condition=ONCE)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with made.path.open("rb") as file:
                self._objects.put_stream(label.bucket, label.key, file, condition=ONCE)

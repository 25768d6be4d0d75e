"""From a file of captured records to an object of the user's bucket."""

from __future__ import annotations

import logging
from pathlib import Path

from cloche.engines.hosting.capture.spool import Spool, read_label
from cloche.foundation.errors import Denied, Invalid, NotFound
from cloche.storage.objects import ConditionNotMet, ObjectStore, WriteCondition

log = logging.getLogger(__name__)

ONCE = WriteCondition(if_absent=True)


class Delivery:
    """Answers ``False`` where an object cannot be stored now; what the reason is, is said once for each endpoint."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._troubled: set[str] = set()
        """ARNs of endpoints whose records cannot be stored."""

    def store(self, source: Spool | Path) -> bool:
        """Nothing is done where the object is there already: stored by a server that was killed right after."""
        label = source.label if isinstance(source, Spool) else read_label(source)[0]
        try:
            self._put(source)
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

    def _put(self, source: Spool | Path) -> None:
        if isinstance(source, Spool):
            with source.records() as records:
                self._objects.put_bytes(source.label.bucket, source.label.key, records, condition=ONCE)
            return
        label, begin = read_label(source)
        with source.open("rb") as file:
            file.seek(begin)
            self._objects.put_stream(label.bucket, label.key, file, condition=ONCE)

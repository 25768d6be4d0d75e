"""Lineage follows what happens to records. What that means is SageMaker's to say; its modules are imported with the
first record that is one of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from cloche.storage.metadata.changes import Change


def follow(tx: sqlite3.Connection, changes: Sequence[Change]) -> None:
    if any(change.kind.startswith("sagemaker/") for change in changes):
        from cloche.services.sagemaker.lineage.tellers import RECORDING

        RECORDING.handle(tx, changes)

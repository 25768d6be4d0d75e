"""What is asked often is answered by an index, however much has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloche.lifecycle import rows
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "cloche.db")
    migrate(made, rows.MIGRATIONS)
    yield made
    made.close()


def test_those_that_have_not_ended_oldest_first(database: Database) -> None:
    def fill(tx: object) -> None:
        for number, id in enumerate(["b", "a", "c", "d"]):
            rows.insert(tx, "job", id, "Waiting", {}, "", 10.0 - number // 2, 0.0)  # type: ignore[arg-type]
        rows.insert(tx, "other", "e", "Waiting", {}, "", 1.0, 0.0)  # type: ignore[arg-type]
        rows.enter(tx, "c", "Done", {}, "", 20.0, ends=True)  # type: ignore[arg-type]
        rows.enter(tx, "b", "Working", {}, "", 20.0, ends=False)  # type: ignore[arg-type]

    database.write(fill)
    assert rows.active(database.reader, "job") == [
        ("d", "job", "Waiting"),
        ("a", "job", "Waiting"),
        ("b", "job", "Working"),
    ]
    assert [item.id for item in rows.of_kind(database.reader, "job", active_only=True)] == ["d", "a", "b"]
    assert [item.id for item in rows.of_kind(database.reader, "job")] == ["c", "d", "a", "b"]


def test_the_index_alone_answers(database: Database) -> None:
    database.reader.set_trace_callback((asked := []).append)
    rows.active(database.reader, "job", "other")
    database.reader.set_trace_callback(None)
    plan = [row["detail"] for row in database.reader.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert plan[0] == "SEARCH lifecycles USING COVERING INDEX lifecycles_active (kind=?)"

"""The index of tags: it agrees with a plain search, and a page costs the same however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloche.storage.metadata import records, tag_index, tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metadata.tag_index import Search, Tagged

HOME = ("123456789012", "us-east-1")
KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["", "1", "2"])
RESOURCES = st.dictionaries(
    st.builds(
        "arn:aws:{}:us-east-1:123456789012:{}/{}".format,
        st.sampled_from(["sagemaker", "logs"]),
        st.sampled_from(["model", "endpoint"]),
        st.integers(0, 9),
    ),
    st.dictionaries(KEYS, VALUES),
    max_size=12,
)
FILTERS = st.lists(st.tuples(KEYS, st.lists(VALUES, max_size=2).map(tuple)), max_size=2).map(tuple)
TYPES = st.lists(st.sampled_from([("sagemaker", ""), ("sagemaker", "model"), ("logs", "endpoint")]), max_size=2)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(tmp_path_factory.mktemp("tags") / "cloche.db")
    migrate(made, records.MIGRATIONS)
    yield made
    made.close()


def fill(tx: sqlite3.Connection, resources: dict[str, dict[str, str]]) -> None:
    tx.execute("DELETE FROM tags")
    tx.execute("DELETE FROM tagged")
    for arn, held in resources.items():
        tags.put(tx, arn, held.items())


@settings(max_examples=150)
@given(resources=RESOURCES, filters=FILTERS, types=TYPES.map(tuple), size=st.integers(1, 4))
def test_it_finds_what_a_plain_search_finds(
    database: Database,
    resources: dict[str, dict[str, str]],
    filters: tuple[tuple[str, tuple[str, ...]], ...],
    types: tuple[tuple[str, str], ...],
    size: int,
) -> None:
    database.write(lambda tx: fill(tx, resources))
    search = Search(*HOME, filters, types)
    listed: list[Tagged] = []
    while page := tag_index.page(database.reader, search, after=listed[-1].arn if listed else "", limit=size):
        assert len(page) <= size
        listed += page
    expected = [Tagged(arn, tuple(sorted(held.items()))) for arn, held in sorted(resources.items()) if held]
    fitting = [one for one in expected if search.fits(one, one.arn.split(":")[2], one.arn.split(":")[5].split("/")[0])]
    assert listed == fitting
    used = sorted({key for held in resources.values() for key in held})
    assert tag_index.keys(database.reader, *HOME, after="", limit=10) == used
    for key in used:
        values = sorted({held[key] for held in resources.values() if key in held})
        assert tag_index.values(database.reader, *HOME, key, after=None, limit=10) == values
        assert tag_index.values(database.reader, *HOME, key, after=values[0], limit=10) == values[1:]


class Counted:
    """How many steps SQLite's virtual machine takes for a question: a cost that no load on the machine changes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.steps = 0

    def _step(self) -> int:
        self.steps += 1
        return 0

    def __enter__(self) -> Counted:
        self._connection.set_progress_handler(self._step, 10)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.set_progress_handler(None, 0)


def cost(database: Database, search: Search, after: str) -> int:
    with Counted(database.reader) as counted:
        assert len(tag_index.page(database.reader, search, after=after, limit=100)) == 100
    return counted.steps


def test_a_page_costs_the_same_among_ten_thousand(database: Database) -> None:
    def arn(n: int) -> str:
        return f"arn:aws:sagemaker:us-east-1:123456789012:model/m{n:06}"

    def some(count: int) -> dict[str, dict[str, str]]:
        return {arn(n): {"project": "one", "n": str(n), "half": str(n % 2)} for n in range(count)}

    searches = [
        Search(*HOME),
        Search(*HOME, (("project", ("one",)),)),
        Search(*HOME, (("project", ()), ("half", ("1",)))),
        Search(*HOME, (), (("sagemaker", "model"),)),
    ]
    database.write(lambda tx: fill(tx, some(500)))
    small = [cost(database, search, "") for search in searches]
    database.write(lambda tx: fill(tx, some(10_000)))
    database.write(lambda tx: tx.execute("ANALYZE") and None)
    for search, before in zip(searches, small, strict=True):
        for after in ("", arn(5_000), arn(9_700)):
            assert cost(database, search, after) <= before * 1.2 + 20, (search, after)
    with Counted(database.reader) as counted:
        assert tag_index.keys(database.reader, *HOME, after="", limit=100) == ["half", "n", "project"]
    assert counted.steps < 100


def test_tags_of_an_older_store_are_indexed(tmp_path: Path) -> None:
    database = Database(tmp_path / "cloche.db")
    migrate(database, records.MIGRATIONS[:1])
    arns = [
        "arn:aws:sagemaker:eu-west-1:123456789012:model/one",
        "arn:aws:logs:us-east-1:123456789012:log-group:/two/three",
        "arn:aws:cloudwatch::123456789012:dashboard/three",
    ]
    database.write(
        lambda tx: tx.executemany("INSERT INTO tags VALUES (?, 'k', 'v')", [(arn,) for arn in arns]) and None
    )
    migrate(database, records.MIGRATIONS)
    rows = [tuple(row) for row in database.reader.execute("SELECT * FROM tagged ORDER BY arn")]
    assert rows == [
        (arns[2], "123456789012", "us-east-1", "cloudwatch", "dashboard"),
        (arns[1], "123456789012", "us-east-1", "logs", "log-group"),
        (arns[0], "123456789012", "eu-west-1", "sagemaker", "model"),
    ]
    assert tag_index.keys(database.reader, "123456789012", "eu-west-1", after="", limit=5) == ["k"]
    database.close()

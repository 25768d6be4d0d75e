"""What jobs read: the same digest for the same objects, in whatever order and by however many hosts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloche.jobs.inputs import S3Input
from cloche.jobs.reading import LISTED_MAX, MIGRATIONS, Readings, inputs_read, note
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import ObjectInfo

INPUT = S3Input("train", "bucket", "data/")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "cloche.db")
    migrate(made, [*records.MIGRATIONS, *MIGRATIONS])
    yield made
    made.close()


def info(number: int, etag: str = "tag", version: str = "null") -> ObjectInfo:
    return ObjectInfo("bucket", f"data/{number:05d}", 10, etag, datetime(2026, 11, 25, tzinfo=UTC), version)


def settled(database: Database) -> None:
    database.write(lambda tx: None)  # queued behind what was submitted


def test_order_and_sharing_make_no_difference(database: Database) -> None:
    readings, objects = Readings(database), [info(number) for number in range(20)]
    with readings.of("one"):
        for each in objects:
            note(INPUT, each)
    random.Random(1).shuffle(objects)
    with readings.of("other"):
        for each in objects + objects[:5]:  # two hosts that share some
            note(INPUT, each)
    settled(database)
    (one,), (other,) = inputs_read(database.reader, "one"), inputs_read(database.reader, "other")
    assert (one.count, one.bytes, one.uri) == (20, 200, "s3://bucket/data/")
    assert (one.digest, one.objects) == (other.digest, other.objects)
    assert one.objects[0] == ("s3://bucket/data/00000", "null", "tag", 10)


@pytest.mark.parametrize("changed", [info(3, etag="new"), info(3, version="v2"), info(99)])
def test_any_change_makes_another_digest(database: Database, changed: ObjectInfo) -> None:
    readings = Readings(database)
    for job, objects in (("before", [info(3)]), ("after", [changed])):
        with readings.of(job):
            for each in [info(1), info(2), *objects]:
                note(INPUT, each)
    settled(database)
    (before,), (after,) = inputs_read(database.reader, "before"), inputs_read(database.reader, "after")
    assert before.digest != after.digest


def test_long_lists_are_cut_and_counted_whole(database: Database) -> None:
    readings = Readings(database)
    digests = []
    for last in ("a", "b"):
        with readings.of("job"):
            for number in range(LISTED_MAX + 5):
                note(INPUT, info(number, etag=last if number == LISTED_MAX + 4 else "same"))
        settled(database)
        (read,) = inputs_read(database.reader, "job")
        assert (read.count, len(read.objects)) == (LISTED_MAX + 5, LISTED_MAX)
        digests.append(read.digest)
    assert digests[0] != digests[1]  # what is not listed counts


def test_a_staging_that_failed_leaves_nothing_and_nobody_else_reads_for_a_job(database: Database) -> None:
    with pytest.raises(ValueError), Readings(database).of("failed"):
        note(INPUT, info(1))
        raise ValueError
    note(INPUT, info(2))
    settled(database)
    assert inputs_read(database.reader, "failed") == []


def test_a_job_made_anew_under_a_name_has_read_nothing(database: Database) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/one"
    home = {"account": "123456789012", "region": "us-east-1", "kind": "sagemaker/TrainingJob"}
    database.write(lambda tx: records.insert(tx, **home, name="one", arn=arn, at=1.0, request={}))
    with Readings(database).of(arn):
        note(INPUT, info(1))
    settled(database)
    assert len(inputs_read(database.reader, arn)) == 1
    database.write(lambda tx: records.remove(tx, arn))
    assert inputs_read(database.reader, arn) == []

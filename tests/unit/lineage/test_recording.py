"""The follower's side of lineage: told twice is put once, users' words stay, what has gone is told as it was."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.lineage import MIGRATIONS
from cloche.engines.lineage.entities import Action, Artifact, Component, Context, Link
from cloche.engines.lineage.recording import Recording
from cloche.engines.lineage.walking import on_paths, walk
from cloche.storage.metadata import changes as record_changes
from cloche.storage.metadata import records
from cloche.storage.metadata.changes import Changes
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metadata.records import Record

KIND = "sagemaker/Thing"
HOME = {"account": "123456789012", "region": "us-east-1"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "cloche.db")
    migrate(made, [*records.MIGRATIONS, *record_changes.MIGRATIONS, *MIGRATIONS])
    yield made
    made.close()


def tell(tx: Any, thing: Record) -> Iterator[Any]:
    status = {"PrimaryStatus": thing.status or "InProgress"}
    component = Component(
        f"{thing.name}-Job",
        thing.arn,
        "SageMakerTrainingJob",
        {"DisplayName": thing.name, "Status": status, "Parameters": {"a": {"NumberValue": 1.0}}},
    )
    yield component
    yield Link(Artifact("s3://data", "DataSet"), component, "ContributedTo")
    deployed = Action(f"{thing.name}-{thing.request['version']}", "ModelDeployment", thing.arn, "Completed")
    yield Link(component, Artifact("s3://model", "Model"), "Produced")
    yield Link(Artifact("s3://model", "Model"), deployed, "ContributedTo")
    yield Link(deployed, Context("place", "Endpoint", thing.arn), "AssociatedWith")


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.told: list[str] = []
        recording = Recording({KIND: tell}, lambda tx, job, held: self.told.append(held.name), frozenset({KIND}))
        self.handle = recording.handle

    def thing(self, name: str) -> str:
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:thing/{name}"
        given = {"kind": KIND, "name": name, "arn": arn, "at": 1.0, "request": {"version": 1}}
        self.database.write(lambda tx: records.insert(tx, **HOME, **given))
        return arn

    def follow(self) -> None:
        """All that is to be told, in one batch, as a follower with no cursor would be handed it."""

        def change(tx: Any) -> None:
            rows = tx.execute("SELECT * FROM changes ORDER BY sequence").fetchall()
            self.handle(tx, [record_changes._change(row) for row in rows])
            tx.execute("DELETE FROM changes")

        self.database.write(change)

    def count(self, kind: str) -> int:
        found = self.database.reader.execute("SELECT count(*) FROM records WHERE kind = ?", (f"sagemaker/{kind}",))
        return int(found.fetchone()[0])

    def component(self, name: str) -> Record:
        found = records.find(self.database.reader, *HOME.values(), "sagemaker/TrialComponent", name)
        assert found is not None
        return found


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_what_is_told_again_is_there_once(world: World) -> None:
    arn = world.thing("One")
    for status in ("InProgress", "Completed", "Completed"):
        world.database.write(lambda tx, status=status: records.set_status(tx, arn, status))
        world.follow()
    assert [world.count(kind) for kind in ("TrialComponent", "Artifact", "Action", "Context")] == [1, 2, 1, 1]
    assert world.database.reader.execute("SELECT count(*) FROM lineage_edges").fetchone()[0] == 4
    assert world.component("one-job").request["Status"] == {"PrimaryStatus": "Completed"}


def test_a_batch_of_changes_is_told_once_and_history_is_remembered(world: World) -> None:
    arn = world.thing("One")
    for version in (2, 3):
        world.database.write(lambda tx, v=version: records.replace_request(tx, arn, {"version": v}, 2.0))
    world.database.write(lambda tx: records.set_status(tx, arn, "Completed"))
    world.follow()
    assert world.count("Action") == 3  # of all three versions
    assert len(world.told) == 3


def test_what_users_wrote_stays(world: World) -> None:
    arn = world.thing("One")
    world.follow()
    held = world.component("one-job")
    kept = {**held.request, "DisplayName": "mine", "Parameters": {"b": {"StringValue": "x"}}}
    world.database.write(lambda tx: records.replace_request(tx, held.arn, kept, 2.0))
    world.database.write(lambda tx: records.set_status(tx, arn, "Completed"))
    world.follow()
    request = world.component("one-job").request
    assert request["DisplayName"] == "mine"
    assert request["Parameters"] == {"a": {"NumberValue": 1.0}, "b": {"StringValue": "x"}}


def test_names_that_differ_by_case_are_two_jobs(world: World) -> None:
    for name in ("one", "ONE"):
        world.thing(name)
        world.follow()
    assert world.component("one-job").state["source"]["SourceArn"].endswith("/one")
    assert world.component("ONE-Job").state["source"]["SourceArn"].endswith("/ONE")


def test_what_has_gone_is_told_as_it_was(world: World) -> None:
    arn = world.thing("gone")
    world.database.write(lambda tx: records.remove(tx, arn))
    world.follow()
    assert world.component("gone-job").state["source"]["SourceArn"] == arn


def test_a_follower_that_dies_tells_it_all_again_and_nothing_twice(world: World) -> None:
    """Killed in the middle of a batch: the transaction is undone, cursor and entities alike."""
    seen: list[int] = []

    def handle(tx: Any, batch: Any) -> None:
        world.handle(tx, batch)
        seen.append(len(batch))
        if len(seen) < 3:
            raise RuntimeError("killed")

    changes = Changes(world.database)
    changes.follow("lineage", handle)
    changes.start()
    world.thing("One")
    for _ in range(200):
        if world.count("TrialComponent"):
            break
        time.sleep(0.02)
    changes.stop()
    assert len(seen) >= 3
    assert [world.count(kind) for kind in ("TrialComponent", "Artifact", "Action", "Context")] == [1, 2, 1, 1]


def test_walks_are_bounded_by_depth_and_paths_hold_what_lies_between(world: World) -> None:
    world.thing("One")
    world.follow()
    place = "arn:aws:sagemaker:us-east-1:123456789012:context/place"
    near = walk(world.database.reader, place, upwards=True, depth_max=2)
    assert sorted(near.depth.values()) == [0, 1, 2]
    far = walk(world.database.reader, place, upwards=True, depth_max=10)
    data = next(arn for arn, depth in far.depth.items() if depth == 4)
    kept, edges = on_paths(far, {data}, upwards=True)
    assert kept == set(far.depth) and len(edges) == 4

"""Parts of the processing engine that need no server: its table, its places, its folders, its exit messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.processing.inside import Inside
from cloche.engines.processing.machine import KIND, LIFECYCLE, PLACED, WAITING, State
from cloche.engines.processing.plan import Input, Output, Plan
from cloche.jobs.folders import Folder, Folders
from cloche.jobs.hosts import Group
from cloche.jobs.place import Place
from cloche.jobs.places import Places, Queue
from cloche_jobs.contract.processing import read_exit_message


def test_the_table_has_no_flaws_and_every_state_a_name() -> None:
    assert LIFECYCLE.flaws() == []
    assert LIFECYCLE.states == frozenset(State.__members__)
    assert LIFECYCLE.active == WAITING | PLACED


def test_a_plan_is_the_same_after_it_was_stored() -> None:
    plan = Plan(
        arn="arn",
        name="j",
        account="1",
        region="r",
        role_arn="role",
        image="i",
        instances=Group("ml.m5.large", 2),
        max_runtime_seconds=5.0,
        entrypoint=("a",),
        inputs=(Input("x", "b", "p", local_path="/opt/ml/processing/x", input_mode="Pipe"),),
        outputs=(Output("y", "b", "q", "/opt/ml/processing/y", True),),
        configuration={"a": None},
    )
    assert Plan.from_data(plan.to_data()) == plan
    assert [host.name for host in plan.hosts] == ["algo-1", "algo-2"]


@dataclass
class Jobs:
    """Stands for the reconciler."""

    active_ones: list[tuple[str, str, str]]

    def active(self, *kinds: str) -> list[tuple[str, str, str]]:
        return [each for each in self.active_ones if each[1] in kinds]


def test_places_are_given_to_all_kinds_in_the_order_of_their_creation() -> None:
    jobs: Any = Jobs(
        [("t1", "train", "Run"), ("p1", KIND, "Submitted"), ("t2", "train", "Wait"), ("t3", "train", "Away")]
    )
    places = Places(jobs, 2)
    places.add(KIND, Queue(PLACED, WAITING))
    places.add("train", Queue(frozenset({"Run"}), frozenset({"Wait", "Away"}), frozenset({"Away"})))
    assert not places.let_in("t2"), "p1 is before it"
    assert places.let_in("p1")
    assert places.let_in("p1"), "asked again before it has entered its next state"
    assert not places.let_in("t2")
    jobs.active_ones = [("p1", KIND, "Processing"), ("t2", "train", "Wait"), ("t3", "train", "Away")]
    assert places.let_in("t2")
    assert not places.let_in("t3")


def test_what_lies_below_a_bound_folder_is_laid_over_it(tmp_path: Path) -> None:
    place = Place(tmp_path / "job")
    place.make_afresh()
    inside = Inside(place)
    links = place.inputs("0")
    links.mkdir(parents=True)
    inside.bind(links, "/opt/ml/processing/input")
    assert (place.layout.root / "processing" / "input").is_dir()
    root, way = inside.folder("/opt/ml/processing/input/code")
    assert (links / "code").is_dir() and way == () and not root.is_relative_to(place.layout.root)
    assert [mount.target for mount in inside.mounts] == ["/opt/ml/processing/input", "/opt/ml/processing/input/code"]
    root, way = inside.folder("/opt/ml/processing/output")
    assert (root, way) == (place.layout.root, ("processing", "output"))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", None),
        (b"done", "done"),
        ("\u00e9".encode() * 600, "\u00e9" * 512),
        (b"x" + "\u00e9".encode() * 600, "x" + "\u00e9" * 511),
    ],
)
def test_an_exit_message_is_cut_between_characters(tmp_path: Path, data: bytes, text: str | None) -> None:
    (tmp_path / "message").write_bytes(data)
    assert read_exit_message(tmp_path / "message") == text


def test_an_exit_message_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(b"ab\xff")
    with pytest.raises(ValueError, match="utf-8"):
        read_exit_message(tmp_path / "message")
    assert read_exit_message(tmp_path) is None
    assert read_exit_message(tmp_path / "none") is None


class Stored:
    """Stands for the object store."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def put_stream(self, bucket: str, key: str, stream: Any, *, is_whole: Any) -> object:
        self.keys.append(key)
        return object()


def test_folders_that_were_not_followed_are_stored_at_the_end_beside_those_that_were(tmp_path: Path) -> None:
    objects: Any = Stored()
    folders = Folders(objects)
    for name in ("on", "end"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    on, end = (Folder(tmp_path, (name,), "b", name) for name in ("on", "end"))
    folders.follow("job", [on])
    folders.finish("job", [on, end])
    folders.close()
    assert sorted(set(objects.keys)) == ["end/file", "on/file"]

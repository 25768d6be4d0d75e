"""Endpoints from creation to deletion, with everything that can die on the way dying."""

from __future__ import annotations

import itertools
import os
import tarfile
import threading
import time
from collections import Counter

import pytest
from hosting_world import ACCOUNT, REGION, World, variant

from cloche.compute.runtime import ProcessSpec
from cloche.engines.hosting import Answer, Capacity, EndpointUnknown, NothingServes, VariantUnknown
from cloche.foundation.errors import Conflict, Invalid
from cloche.serving.model import ModelData
from cloche.storage.metrics.statistics import Statistics

PING = (
    "The primary container for production variant AllTraffic did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)


def test_an_endpoint_is_created_asked_and_deleted(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    assert world.said("e") == "one"
    assert world.state("e")["variants"][0]["instance_count"] == 1
    world.database.write(lambda tx: world.hosting.delete(tx, world.arn("e")))
    world.until_status("e", "gone")
    assert isinstance(world.invoke("e")[1], EndpointUnknown)
    assert world.runtime.known() == []
    assert list((world.folder / "endpoints").iterdir()) == []


def test_an_endpoint_that_is_not_there(world: World) -> None:
    assert isinstance(world.invoke("none")[1], EndpointUnknown)


def test_a_variant_that_is_not_there(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    assert isinstance(world.invoke("e", "Other")[1], VariantUnknown)


@pytest.mark.parametrize(
    ("toy", "words"),
    [
        ("silent", "The container passed no health check within 2 seconds."),
        ("crash", "The container ended with exit code 1."),
    ],
)
def test_a_model_server_that_never_answers_a_ping_fails_the_endpoint(world: World, toy: str, words: str) -> None:
    world.create("e", variant(toy=toy))
    world.until_status("e", "Failed")
    assert world.state("e")["failure"] == PING
    world.until(lambda: not world.runtime.servers)
    world.until(lambda: _there(lambda: words in _lines(world)))
    world.database.write(lambda tx: world.hosting.delete(tx, world.arn("e")))
    world.until_status("e", "gone")


def test_variants_share_by_weight_and_can_be_named(world: World) -> None:
    world.create("e", variant("A", says="a", weight=3.0), variant("B", says="b", weight=1.0))
    world.until_status("e", "InService")
    assert Counter(world.said("e") for _ in range(20)) == {"a": 15, "b": 5}
    assert {world.said("e", "B") for _ in range(5)} == {"b"}


def test_an_update_loses_no_request(world: World) -> None:
    world.create("e", variant(says="old", environment={"PAUSE": "0.02"}))
    world.until_status("e", "InService")
    said: list[str] = []
    ending = threading.Event()

    def load() -> None:
        while not ending.is_set():
            said.append(world.said("e"))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    old = set(world.runtime.known())
    world.update("e", variant(says="new", environment={"PAUSE": "0.02"}))
    world.until_status("e", "Updating")
    world.until_status("e", "InService")
    world.until(lambda: not old & set(world.runtime.known()))
    ending.set()
    for thread in threads:
        thread.join()
    assert set(said) == {"old", "new"}
    first_new = said.index("new")
    assert "old" not in said[first_new + 8 :], "the old fleet answered long after the switch"
    assert world.said("e") == "new"
    assert world.state("e")["configuration"] == "config-2"


def test_an_update_that_fails_keeps_the_old_fleet(world: World) -> None:
    world.create("e", variant(says="old"))
    world.until_status("e", "InService")
    kept = set(world.runtime.known())
    world.update("e", variant(toy="crash", says="new"))
    world.until(lambda: world.state("e")["failure"] == PING)
    assert world.status("e") == "InService"
    assert world.state("e")["configuration"] == "config-1"
    assert world.said("e") == "old"
    world.until(lambda: set(world.runtime.known()) == kept)


def test_nothing_can_be_asked_while_it_is_created(world: World) -> None:
    world.create("e", variant(toy="silent"))
    with pytest.raises(Conflict):
        world.update("e", variant())
    with pytest.raises(Conflict):
        world.database.write(lambda tx: world.hosting.delete(tx, world.arn("e")))


def test_a_model_server_that_dies_is_started_again_and_requests_wait_for_it(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    for _ in range(3):
        (process,) = world.runtime.known()
        world.runtime.kill(process)
        assert world.said("e") == "one"
    assert world.status("e") == "InService"


def test_one_that_dies_again_and_again_is_started_after_growing_pauses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    started: list[float] = []
    start = world.runtime.start

    def start_and_die(spec: ProcessSpec) -> None:
        started.append(time.monotonic())
        start(spec)
        if len(started) < 4:
            world.runtime.kill(spec.id)

    monkeypatch.setattr(world.runtime, "start", start_and_die)
    world.runtime.kill(world.runtime.known()[0])
    world.until(lambda: len(started) == 4)
    pauses = [after - before for before, after in itertools.pairwise(started)]
    assert all(pause >= least for pause, least in zip(pauses, (0.2, 0.4, 0.8), strict=True)), pauses
    assert world.said("e") == "one"


def test_while_one_instance_is_down_the_other_answers(world: World) -> None:
    world.create("e", variant(instance_count=2))
    world.until_status("e", "InService")
    world.runtime.kill(world.runtime.known()[0])
    assert {world.said("e") for _ in range(10)} == {"one"}
    world.until(lambda: len(world.runtime.servers) == 2)


@pytest.mark.parametrize("count", [1, 2])
def test_a_request_that_reaches_nobody_is_told_so(world: World, count: int) -> None:
    world.create("e", variant(instance_count=count))
    world.until_status("e", "InService")
    world.hosting.invoker.recovery_seconds = 0.3
    for spec in world.runtime.specs.values():
        spec.environment["TOY"] = "crash"  # type: ignore[index]
    world.reconciler.stop()
    for process in world.runtime.known():
        world.runtime.kill(process)
    assert isinstance(world.invoke("e")[1], NothingServes)


def test_a_new_server_adopts_what_runs(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    running = list(world.runtime.started)
    world.restart()
    assert world.said("e") == "one"
    assert world.runtime.started == running, "the model was loaded anew"
    assert all(spec.prompt for spec in world.runtime.specs.values())


def test_a_new_server_starts_what_died_while_there_was_none(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    world.close()
    world.runtime.kill(world.runtime.known()[0])
    world.open()
    assert world.said("e") == "one"


def test_an_endpoint_in_creation_survives_a_restart(world: World) -> None:
    world.create("e", variant())
    world.restart()
    world.until_status("e", "InService")
    assert len(world.runtime.known()) == 1


def test_processes_nobody_knows_are_forgotten_at_the_start(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    world.close()
    world.runtime.specs["endpoint-i-0-1"] = next(iter(world.runtime.specs.values()))
    world.open()
    assert "endpoint-i-0-1" not in world.runtime.known()
    assert world.said("e") == "one"


def test_rescaling_keeps_the_instances_that_stay(world: World) -> None:
    world.create("e", variant("A", says="a"), variant("B", says="b"))
    world.until_status("e", "InService")
    before = set(world.runtime.known())
    asked = [Capacity("A", weight=0.0), Capacity("B", instance_count=2)]
    world.database.write(lambda tx: world.hosting.rescale(tx, world.arn("e"), asked))
    world.until(lambda: world.status("e") == "InService" and world.state("e")["variants"][1]["instance_count"] == 2)
    assert before < set(world.runtime.known())
    assert {world.said("e") for _ in range(8)} == {"b"}
    fewer = [Capacity("B", instance_count=1)]
    world.database.write(lambda tx: world.hosting.rescale(tx, world.arn("e"), fewer))
    world.until(lambda: len(world.runtime.known()) == 2)
    assert world.said("e") == "b"


def test_rescaling_a_variant_that_is_not_there(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    with pytest.raises(Invalid):
        world.database.write(lambda tx: world.hosting.rescale(tx, world.arn("e"), [Capacity("Other", 1.0)]))


def link(name: str, target: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


@pytest.mark.parametrize(
    "members",
    [
        [(tarfile.TarInfo("../outside"), b"x")],
        [(tarfile.TarInfo("/outside"), b"x")],
        [link("inside", "/etc/passwd", tarfile.SYMTYPE)],
        [link("inside", "../../outside", tarfile.SYMTYPE)],
        [link("inside", "../outside", tarfile.LNKTYPE)],
        [(tarfile.TarInfo("bomb"), bytes(80 * 1024 * 1024))],
    ],
)
def test_a_hostile_archive_fails_the_endpoint(world: World, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    world.put_archive("model.tar.gz", members)
    world.create("e", variant(model_data=ModelData("models", "model.tar.gz")))
    world.until_status("e", "Failed")
    assert "s3://models/model.tar.gz" in world.state("e")["failure"]
    assert world.runtime.started == []
    world.until(lambda: not any((world.folder / "endpoints").iterdir()))
    assert not any(world.folder.rglob("outside"))
    assert not any(world.folder.rglob("bomb"))


def test_the_model_is_unpacked_for_each_instance(world: World) -> None:
    world.put_archive("model.tar.gz", [(tarfile.TarInfo("xgboost-model"), b"trees")])
    world.create("e", variant(model_data=ModelData("models", "model.tar.gz"), instance_count=2))
    world.until_status("e", "InService")
    roots = {spec.ml_root for spec in world.runtime.specs.values()}
    assert len(roots) == 2
    assert all((root / "model" / "xgboost-model").read_bytes() == b"trees" for root in roots)


def test_files_without_an_archive_are_copied_for_each_instance(world: World) -> None:
    for key, content in {"m/one": b"1", "m/deep/two": b"2", "m/deep/": b"", "m": b"not below it"}.items():
        world.objects.put_bytes("models", key, content)
    world.create("e", variant(model_data=ModelData("models", "m/", is_packed=False), instance_count=2))
    world.until_status("e", "InService")
    folders = [spec.ml_root / "model" for spec in world.runtime.specs.values()]
    assert len(set(folders)) == 2
    for folder in folders:
        assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {"one", "deep/two"}
    (folders[0] / "one").write_bytes(b"changed")
    assert (folders[1] / "one").read_bytes() == world.objects.read_bytes("models", "m/one", size_max=9) == b"1"
    world.create("f", variant(model_data=ModelData("models", "m/deep/two", is_packed=False)))
    world.until_status("f", "InService")
    (folder,) = {spec.ml_root / "model" for spec in world.runtime.specs.values()} - set(folders)
    assert [path.name for path in folder.iterdir()] == ["two"]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (["a", "a/b"], "m/a/b needs a name as a file that another object needs as a folder"),
        (["../outside"], "m/../outside cannot be the name of a file"),
        (["a//b"], "m/a//b cannot be the name of a file"),
        (["deep/"], "nothing is below s3://models/m/"),
    ],
)
def test_files_that_cannot_lie_together_fail_the_endpoint(world: World, keys: list[str], why: str) -> None:
    for key in keys:
        world.objects.put_bytes("models", f"m/{key}", b"x")
    world.create("e", variant(model_data=ModelData("models", "m/", is_packed=False)))
    world.until_status("e", "Failed")
    assert why in world.state("e")["failure"]
    assert world.runtime.started == []
    names = {name for _, folders, files in os.walk(world.folder) for name in (*folders, *files)}
    assert "outside" not in names


def test_an_artefact_that_has_gone_fails_the_endpoint(world: World) -> None:
    world.create("e", variant(model_data=ModelData("models", "none.tar.gz")))
    world.until_status("e", "Failed")
    assert "s3://models/none.tar.gz" in world.state("e")["failure"]


def test_what_model_servers_print_is_the_endpoints_log(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    world.until(lambda: _there(lambda: _lines(world)))
    assert _lines(world) == ["one is up"]
    world.restart()
    world.said("e")
    assert _lines(world) == ["one is up"], "what was taken before the restart was taken again"


def _lines(world: World) -> list[str]:
    """The log of endpoint ``e``, which has one instance."""
    group = "/aws/sagemaker/Endpoints/e"
    streams, _ = world.logs.streams(ACCOUNT, REGION, group, limit=10)
    assert len(streams) == 1
    assert streams[0].name.startswith("AllTraffic/i-")
    page = world.logs.read(ACCOUNT, REGION, group, streams[0].name, from_head=True)
    return [event.message for event in page.events]


def _there(look: object) -> bool:
    from cloche.foundation.errors import NotFound

    try:
        return bool(look())  # type: ignore[operator]
    except NotFound:
        return False


def test_requests_are_counted(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    for _ in range(7):
        world.said("e")
    world.hosting.stop()
    dimensions = (("EndpointName", "e"), ("VariantName", "AllTraffic"))

    def held(name: str) -> list[Statistics]:
        found = world.metrics.query(ACCOUNT, REGION, "AWS/SageMaker", name, dimensions, start=0, end=4e9, period=60)
        return [statistics for _, _, statistics in found]

    assert sum(statistics.total for statistics in held("Invocations")) == 7
    assert sum(statistics.total for statistics in held("Invocation5XXErrors")) == 0
    assert sum(statistics.count for statistics in held("ModelLatency")) == 7
    assert all(statistics.minimum > 0 for statistics in held("ModelLatency"))
    assert sum(statistics.count for statistics in held("OverheadLatency")) == 7


def test_answers_are_passed_on_whatever_their_status(world: World) -> None:
    world.create("e", variant())
    world.until_status("e", "InService")
    name, outcome = world.invoke("e", body=b"x" * 100_000)
    assert name == "AllTraffic"
    assert isinstance(outcome, Answer)


def test_weights_and_capacities_change_under_load_without_a_lost_request(world: World) -> None:
    slow = {"PAUSE": "0.01"}
    world.create("e", variant("A", says="a", environment=slow), variant("B", says="b", weight=0.0, environment=slow))
    world.until_status("e", "InService")
    said: list[str] = []
    ending = threading.Event()

    def load() -> None:
        while not ending.is_set():
            said.append(world.said("e"))

    threads = [threading.Thread(target=load) for _ in range(6)]
    for thread in threads:
        thread.start()

    def ask(*capacities: Capacity) -> None:
        world.database.write(lambda tx: world.hosting.rescale(tx, world.arn("e"), capacities))
        world.until_status("e", "InService")

    before = set(world.runtime.known())
    ask(Capacity("A", None, 3), Capacity("B", 1.0, 2))
    assert before <= set(world.runtime.known()), "what served goes on"
    world.until(lambda: said[-20:].count("b") > 4)
    ask(Capacity("A", 0.0, 1), Capacity("B", None, 1))
    world.until(lambda: len(world.runtime.known()) == 2)
    began = len(said)
    world.until(lambda: len(said) > began + 30)
    ending.set()
    for thread in threads:
        thread.join()
    assert set(said) == {"a", "b"}
    assert set(said[began + 8 :]) == {"b"}

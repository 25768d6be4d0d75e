"""The press, which makes objects of many captured requests when nobody else wants the processor."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from capture_world import NOON, World

from cloche.engines.hosting.capture import captures as captures_module
from cloche.engines.hosting.capture import pressing as pressing_module
from cloche.storage.objects.checksums import digest


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def pressed(world: World, monkeypatch: pytest.MonkeyPatch, program: str = "") -> None:
    """From now on the press makes the lines of every file; ``program`` stands in for it."""
    monkeypatch.setattr(captures_module, "PRESS_BYTES_MIN", 0)
    monkeypatch.setattr(captures_module, "BACKLOG_SECONDS_MAX", 1.0)  # the tests beside this one leave nothing idle
    if program:
        path = world.folder / "program.py"
        path.write_text(program)
        monkeypatch.setattr(pressing_module, "PROGRAM", path)


def delivered(world: World) -> dict[str, list[str]]:
    """As ``stored``, where nobody says that he waits."""
    world.recorder().seal()
    end = time.monotonic() + 50
    while world.files():
        assert time.monotonic() < end
        time.sleep(0.01)
    return world.stored()


def test_the_press_makes_the_same_lines_and_its_object_can_be_checked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [b"1", "ä".encode() * 50_000, b"\xff\0" * 1000, b"", b"\n" * 3000, *(b"%d" % at for at in range(3000))]
    world.take(*bodies)
    (straight,) = world.stored_keys()
    world.clock.turn(NOON)
    pressed(world, monkeypatch)
    world.take(*bodies)
    assert len(delivered(world)) == 2
    keys = world.stored_keys()
    (key,) = set(keys) - {straight}
    known, made = (world.objects.read_bytes("captured", each, size_max=10**8) for each in (straight, key))
    assert [json.loads(each)["captureData"] for each in made.splitlines()] == [
        json.loads(each)["captureData"] for each in known.splitlines()
    ]
    info = world.objects.head("captured", key)
    crc = digest("CRC32")
    crc.update(made)
    assert info.checksums == {"CRC32": crc.base64()} and info.size == len(made) and info.etag.endswith("-1")
    assert not list((world.folder / "captured").glob("*.lines"))


def test_who_waits_does_not_wait_for_a_press_that_gets_no_processor(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed(world, monkeypatch, "import time; time.sleep(1000)")
    world.take(b"1")
    world.recorder().seal()
    end = time.monotonic() + 10
    while world.captures._press.target is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert list(world.stored().values()) == [["1"]]
    world.take(b"2")
    world.recorder().seal()
    world.captures.stop()
    assert len(list(world.objects.iter_prefix("captured"))) == 2


@pytest.mark.parametrize("bound", ["BACKLOG_SECONDS_MAX", "BACKLOG_BYTES_MAX"])
def test_what_waits_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    """Beyond a time, and a size, the press has the server's priority; here it works in no other."""
    real = pressing_module.PROGRAM
    idle = "import time; time.sleep(1000)"
    brisk = f"runpy.run_path({str(real)!r}, run_name='__main__')"
    pressed(world, monkeypatch, f"import runpy, sys\nif sys.argv[-1] == 'idle': {idle}\n{brisk}")
    monkeypatch.setattr(captures_module, "BACKLOG_SECONDS_MAX", 1000.0)
    monkeypatch.setattr(captures_module, bound, 0.3 if bound == "BACKLOG_SECONDS_MAX" else 6000)
    world.take(b"1")
    world.recorder().seal()
    if bound == "BACKLOG_BYTES_MAX":
        time.sleep(0.5)
        assert not list(world.objects.iter_prefix("captured"))
        world.take(b"2" * 3000)
    assert ["1"] in delivered(world).values()


def test_a_press_that_dies_is_done_without(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pressed(world, monkeypatch, "raise SystemExit(1)")
    world.take(b"1")
    assert list(delivered(world).values()) == [["1"]]
    assert "has died" in caplog.text or "no process" in caplog.text


def test_what_waits_when_the_server_is_killed_is_delivered_at_the_next_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed(world, monkeypatch, "import time; time.sleep(1000)")
    for number in range(3):
        world.take(b"%d" % number)
        world.recorder().seal()
    assert len(world.files()) == 3
    folder = world.folder / "captured"
    left = {path: path.read_bytes() for path in world.files()}
    world.captures._press.stop()
    for spool in world.captures._filled():  # as a kill would leave it: neither cut nor cleared
        world.captures._full.pop(spool)
    world.captures.stop()
    for path, content in left.items():
        path.write_bytes(content)
    (folder / "half.lines").write_bytes(b"half of what the press was making")
    world.open()
    assert sorted(world.stored().values()) == [["0"], ["1"], ["2"]]
    assert world.files() == []

"""The feeder of pipes, run as the program it is, read as a job reads."""

from __future__ import annotations

import gzip
import json
import os
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.jobs import feed_pipes

Feed = Callable[..., "Fed"]
GIVEN: dict[str, Any] = {
    "title": "channel train",
    "folder": ["input", "data"],
    "name": "train",
    "gzip": False,
    "wrap": False,
    "seed": None,
    "host": 0,
    "hosts": 1,
}


class Fed:
    def __init__(self, folder: Path, channels: list[dict[str, Any]]) -> None:
        self.data = folder / "ml" / "input" / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.failure = folder / "failure"
        document = folder / "document.json"
        document.write_text(json.dumps({"root": str(folder / "ml"), "inputs": channels}))
        for channel in channels:
            os.mkfifo(self.data / f"{channel['name']}_0")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", feed_pipes.__file__, str(document)],
            env={feed_pipes.FAILURE: str(self.failure)},
        )

    def read(self, name: str) -> bytes:
        deadline = time.monotonic() + 20
        while not (self.data / name).exists():
            assert time.monotonic() < deadline, f"{name} never came"
            time.sleep(0.005)
        return (self.data / name).read_bytes()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    fed: list[Fed] = []

    def start(*contents: bytes, text: list[list[dict[str, str]]] | None = None, **changes: Any) -> Fed:
        records = text or []
        for number, content in enumerate(contents):
            path = tmp_path / f"object-{number}"
            path.write_bytes(content)
            records.append([{"file": str(path), "key": f"s3://b/{number}"}])
        fed.append(Fed(tmp_path, [{**GIVEN, "records": records, **changes}]))
        return fed[-1]

    yield start
    for each in fed:
        each.end()


def records_of(stream: bytes) -> list[bytes]:
    found = []
    while stream:
        magic, size = struct.unpack_from("<II", stream)
        assert magic == 0xCED7230A
        found.append(stream[8 : 8 + size])
        stream = stream[8 + size + -size % 4 :]
    return found


def test_each_epoch_streams_all_in_order(feed: Feed) -> None:
    fed = feed(b"one\n", b"two\n", b"three\n")
    for epoch in range(3):
        assert fed.read(f"train_{epoch}") == b"one\ntwo\nthree\n"
    assert not (fed.data / "train_0").exists()


def test_a_pipe_holds_less_than_what_streams_through_it(feed: Feed) -> None:
    content = os.urandom(5_000_000)
    assert feed(content).read("train_0") == content


def test_an_epoch_may_be_left_early(feed: Feed) -> None:
    fed = feed(b"x" * 5_000_000)
    with (fed.data / "train_0").open("rb") as stream:
        assert stream.read(10) == b"x" * 10
    assert len(fed.read("train_1")) == 5_000_000


def test_gzip_is_undone_member_by_member(feed: Feed) -> None:
    fed = feed(gzip.compress(b"a" * 3_000_000) + gzip.compress(b"b"), gzip.compress(b""), gzip=True)
    assert fed.read("train_0") == b"a" * 3_000_000 + b"b"


@pytest.mark.parametrize("is_gzip", [False, True])
def test_every_object_is_a_record(feed: Feed, is_gzip: bool) -> None:
    contents = [b"", b"1", b"four", b"12345", b"z" * 100_001]
    given = [gzip.compress(content) for content in contents] if is_gzip else contents
    assert records_of(feed(*given, wrap=True, gzip=is_gzip).read("train_0")) == contents


def test_attributes_follow_each_other(feed: Feed, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"\x89PNG")
    record = [{"file": str(tmp_path / "image"), "key": "s3://b/image"}, {"text": "1"}]
    fed = feed(text=[record, [*record, {"text": "é"}]], wrap=True)
    assert records_of(fed.read("train_0")) == [b"\x89PNG", b"1", b"\x89PNG", b"1", "é".encode()]


def test_the_order_is_the_seeds_and_another_in_each_epoch(feed: Feed) -> None:
    contents = [bytes([letter]) for letter in b"abcdefghij"]
    fed = feed(*contents, seed=7)
    epochs = [fed.read(f"train_{epoch}") for epoch in range(3)]
    assert len(set(epochs)) == 3
    assert {bytes(sorted(epoch)) for epoch in epochs} == {b"abcdefghij"}
    assert epochs == [b"".join(feed_pipes.in_order_of(contents, 7, epoch=epoch)) for epoch in range(3)]


def test_shares_are_disjoint_and_together_all(feed: Feed) -> None:
    contents = [bytes([letter]) for letter in b"abcdefg"]
    for epoch in range(2):
        shuffled = feed_pipes.in_order_of(contents, 3, epoch=epoch)
        shares = [list(feed_pipes.share(shuffled, host, 3)) for host in range(3)]
        assert sorted(piece for share in shares for piece in share) == contents
        assert [len(each) for each in shares] == [3, 2, 2]
    assert feed(*contents, host=1, hosts=3).read("train_0") == b"be"


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"no gzip", "it is no gzip data"), (gzip.compress(b"much" * 9999, mtime=0)[:-9], "its gzip data ends too early")],
    ids=["none", "cut"],
)
def test_data_that_cannot_be_streamed_is_told(feed: Feed, content: bytes, why: str) -> None:
    fed = feed(content, gzip=True)
    fed.read("train_0")
    assert fed.process.wait(20) == 1
    assert fed.failure.read_text().startswith(f"channel train: s3://b/0: {why}")


@pytest.mark.parametrize(("folder_mode", "mode"), [(0o755, 0o600), (0o777, 0o666)], ids=["own", "open"])
def test_pipes_are_open_to_whoever_may_make_files_beside_them(
    tmp_path: Path, feed: Feed, folder_mode: int, mode: int
) -> None:
    data = tmp_path / "ml" / "input" / "data"
    data.mkdir(parents=True)
    data.chmod(folder_mode)
    fed = feed(b"data")
    assert fed.read("train_0") == fed.read("train_1") == b"data"
    assert stat.S_IMODE((data / "train_2").stat().st_mode) == mode


def test_nothing_is_written_through_a_link_or_into_a_file(feed: Feed, tmp_path: Path) -> None:
    """What a hostile job might put where a pipe is awaited."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    fed = feed(b"data")
    assert fed.read("train_0") == b"data"
    pipe = fed.data / "train_1"
    deadline = time.monotonic() + 20
    while not (fed.data / "train_2").exists():  # the feeder waits at train_1 now
        assert time.monotonic() < deadline
        time.sleep(0.005)
    (fed.data / "train_2").unlink()
    (fed.data / "train_2").symlink_to(victim)
    assert pipe.read_bytes() == b"data"
    assert fed.process.wait(20) == 0
    assert victim.read_bytes() == b"precious"


def test_a_folder_that_became_a_link_is_not_entered(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "ml" / "input").mkdir(parents=True)
    (tmp_path / "ml" / "input" / "data").symlink_to(elsewhere)
    document = tmp_path / "document.json"
    channel = {**GIVEN, "records": []}
    document.write_text(json.dumps({"root": str(tmp_path / "ml"), "inputs": [channel]}))
    ended = subprocess.run([sys.executable, "-I", "-S", feed_pipes.__file__, str(document)], timeout=20, check=False)
    assert ended.returncode == 0
    assert list(elsewhere.iterdir()) == []

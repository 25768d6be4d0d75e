"""Captured requests from the line to the object: forms, files, and what a kill or a full disk leaves."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import os
import threading
import time
from collections.abc import Iterator
from mmap import PAGESIZE
from pathlib import Path
from typing import Any

import pytest
from capture_world import ACCOUNT, ARN, DIVIDERS, DRAWN, FACTS, NOON, PLAN, World, answer, entry, heard, line
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.capture import CapturePlan, Known
from cloche.engines.hosting.capture import captures as captures_module
from cloche.engines.hosting.capture import lines as lines_module
from cloche.engines.hosting.capture import recorder as recorder_module
from cloche.engines.hosting.capture import spool as spool_module
from cloche.engines.hosting.capture.lines import OCTETS, Lines
from cloche.engines.hosting.capture.spool import Label, Spool
from cloche.foundation.ids import request_id


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


# -- lines ------------------------------------------------------------------------------------------------------


@given(st.one_of(st.binary(), st.text().map(str.encode)), st.sampled_from(["text/csv", 'TEXT/CSV; x="\\', "b/c", ""]))
def test_a_line_gives_back_every_byte(body: bytes, type: str) -> None:
    made = line(body, (type, 'an "id"', ""), body, "application/json")
    assert made.count(b"\n") == 1 and made.endswith(b"}\n")
    for side in json.loads(made)["captureData"].values():
        if side["encoding"] == "BASE64":
            assert base64.b64decode(side["data"], validate=True) == body
        else:
            assert side["data"].encode() == body


@pytest.mark.parametrize(
    ("type", "encoding"),
    [
        ("text/csv", "CSV"),
        ("Text/CSV ; charset=utf-8", "CSV"),
        ("application/json", "JSON"),
        ("a/b+json", "JSON"),
        ("text/csvx", "BASE64"),
        ("application/x-recordio-protobuf", "BASE64"),
        ("", "BASE64"),
    ],
)
def test_the_content_type_chooses_the_encoding(type: str, encoding: str) -> None:
    sides = json.loads(line(b"1", (type, "", ""), b"", type))["captureData"]
    assert [side["encoding"] for side in sides.values()] == [encoding, encoding]
    assert [side["observedContentType"] for side in sides.values()] == [type or OCTETS] * 2
    assert sides["endpointOutput"]["data"] == ""


def test_text_that_is_no_utf_8_is_kept_as_base64() -> None:
    sides = json.loads(line(b"1,\xff", ("text/csv", "", ""), b"1"))["captureData"]
    assert sides["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": base64.b64encode(b"1,\xff").decode(),
        "encoding": "BASE64",
    }
    assert sides["endpointOutput"]["encoding"] == "CSV"


BODIES = st.one_of(
    st.sampled_from([b"1,2\n", b'"\\\0', "ä\u2028".encode(), b"\xff", b"[]", b"", DRAWN[:9].encode()]), st.binary()
)
TOLD = st.sampled_from([("text/csv", "", ""), ("text/csv", 'an "id"', "x"), ("b/c", "", "")])


@given(st.lists(st.tuples(TOLD, BODIES, BODIES), min_size=1), st.integers(1, 400), st.integers(0, 50))
def test_lines_made_together_are_those_made_alone(
    requests: list[tuple[tuple[str, str, str], bytes, bytes]], block: int, torn: int
) -> None:
    """Wherever the blocks end, with facts between them, and a last request that is not whole."""
    data, wanted, last = b"label", b"", None
    for number, (told, body, output) in enumerate(requests):
        id = f"{number:036}"
        if told != last:
            data += DIVIDERS.facts_entry(told, "text/csv", "t")
        data, last = data + entry(body, output, id), told
        wanted += line(body, told, output, id=id)
    data += entry(b"torn")[:torn]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "BLOCK_BYTES", block)
        assert b"".join(Lines(PLAN.form(), DRAWN).of(data, 5)) == wanted


# -- files ------------------------------------------------------------------------------------------------------


def test_records_become_one_object_under_the_time_of_its_first_record(world: World) -> None:
    world.take(b"1", b"2", at=NOON + 61.25)
    ((key, inputs),) = world.stored().items()
    assert key.startswith("p/e/v/2026/05/01/12/01-01-250-") and key.endswith(".jsonl")
    assert inputs == ["1", "2"]
    assert world.files() == []


def test_an_hour_has_its_own_files_and_so_has_a_clock_set_back(world: World) -> None:
    world.take(b"1", b"2", b"3", at=NOON + 3598)
    world.clock.turn(NOON - 7200)
    world.take(b"4")
    found = {key[:19]: inputs for key, inputs in world.stored().items()}
    assert found == {"p/e/v/2026/05/01/12": ["1", "2"], "p/e/v/2026/05/01/13": ["3"], "p/e/v/2026/05/01/10": ["4"]}


def test_a_full_file_is_delivered_at_once_and_a_longer_record_has_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures_module, "FILE_BYTES_MAX", PAGESIZE + 2000)
    monkeypatch.setattr(recorder_module, "QUIET_SECONDS", 60.0)
    monkeypatch.setattr(recorder_module, "FILE_SECONDS_MAX", 60.0)
    world.take(b"1", b"2", b"x" * 3000, b"4")
    end = time.monotonic() + 10
    while len(list(world.objects.iter_prefix("captured"))) < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert sorted(world.stored().values()) == [["1", "2"], ["4"], ["x" * 3000]]


def test_each_line_is_about_its_own_request_and_answer(world: World) -> None:
    """Requests alike share what stands around their bodies, however they are mixed with others."""
    recorder = world.recorder()
    forms = [("text/csv", "", ""), ("text/csv", "id-1", ""), ("application/json", "", 'an "x"'), ("b/c", "id-2", "y")]
    heads = [[(b"content-type", type)] for type in (b"text/csv", b"application/json", b"b/c")]
    kinds = [(told, headers) for told in forms for headers in heads] * 2
    wanted = []
    for number, (told, headers) in enumerate([*kinds, *reversed(kinds)]):
        body, output = b"%d" % number if number % 5 else b"\xff", b'"%d"' % number
        made = Answer(200, headers, output)
        id = request_id()
        assert recorder.take(Known(body, id.encode(), told), made, time.perf_counter())
        wanted.append(line(body, told, output, headers[0][1].decode(), id, "2026-05-01T12:00:00Z"))
    (key,) = world.stored_keys()
    assert world.objects.read_bytes("captured", key, size_max=10**6) == b"".join(wanted)


def test_a_file_that_is_sealed_at_any_moment_has_each_record_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures_module, "FILE_BYTES_MAX", 64 * 1024)
    recorder, ending = world.recorder(), threading.Event()

    def seal() -> None:
        while not ending.is_set():
            recorder.seal()
            time.sleep(0.0005)

    sealing = threading.Thread(target=seal)
    sealing.start()
    bodies = [b"%d" % number for number in range(4000)]
    world.take(*bodies)
    ending.set()
    sealing.join()
    found = world.stored()
    assert len(found) > 1
    assert sorted(each for inputs in found.values() for each in inputs) == sorted(body.decode() for body in bodies)


MARK = DIVIDERS.mark


@pytest.mark.parametrize(
    "late",
    [FACTS + entry(b"2"), FACTS, entry(b"2") + entry(b"3"), entry(b"2")[: -len(MARK)], b""],
    ids=["with facts", "facts alone", "two", "one without its mark", "nothing"],
)
def test_what_is_added_while_a_file_is_sealed_is_in_it(tmp_path: Path, late: bytes) -> None:
    spool = Spool(tmp_path / "a.jsonl", 2 * PAGESIZE)
    label = Label(ACCOUNT, ARN, "captured", "key", PLAN.form(), DRAWN, "")
    spool.begin(label, DIVIDERS, FACTS + entry(b"0")[: -len(MARK)])
    spool.add(entry(b"1")[: -len(MARK)])

    class Meanwhile:
        """The map, to which another thread adds as soon as somebody has asked for its end."""

        def __init__(self, mapped: Any) -> None:
            self.mapped = mapped

        def __getattr__(self, name: str) -> Any:
            return getattr(self.mapped, name)

        def __getitem__(self, at: Any) -> Any:
            return self.mapped[at]

        def __len__(self) -> int:
            return len(self.mapped)

        def tell(self) -> int:
            known: int = self.mapped.tell()
            self.mapped.write(MARK + late)
            return known

    mapped = spool._map
    spool._map = Meanwhile(mapped)  # type: ignore[assignment]
    spool.seal()
    spool._map = mapped
    with pytest.raises(ValueError, match="out of range"):
        spool.add(MARK)
    data, begin = spool.data()
    assert data.endswith(MARK + late)
    assert b"".join(Lines(PLAN.form(), DRAWN).of(data, begin)).count(b"\n") == 2 + late.count(MARK)
    spool.clear()
    assert not mapped[:].strip(b"\0")
    with pytest.raises(ValueError, match="out of range"):
        spool.add(MARK)
    spool.begin(label, DIVIDERS, FACTS + b"x" * (PAGESIZE - len(FACTS) - len(MARK)))
    spool.seal()
    assert spool.size == spool.length  # it is full, so no zero ends it
    spool.remove()


def test_a_long_record_is_written_apart_and_answered_after_it(world: World) -> None:
    body = b"x" * recorder_module.APART_BYTES_MIN

    async def story() -> None:
        given = asyncio.get_running_loop().create_future()
        recorder, asked, made = world.recorder(), heard(body), answer(b"1")
        assert not recorder.take(asked, made, time.perf_counter())
        recorder.take_apart(asked, made, lambda variant, answer: given.set_result(variant))
        assert not given.done()
        assert await given == "v"
        assert world.captures.is_behind() or list(world.objects.iter_prefix("captured")), "written before the answer"

    asyncio.run(story())
    assert list(world.stored().values()) == [[body.decode()]]
    assert world.files() == []


def test_only_successes_are_wanted_and_as_many_as_asked_for(world: World) -> None:
    recorder = world.recorder()
    assert [recorder.wants(status) for status in (199, 200, 299, 302, 404, 500)] == [False, True, True] + [False] * 3

    def share(percentage: int) -> int:
        changed = CapturePlan(**{**PLAN.document(), "percentage": percentage})
        made = world.recorder(changed)
        assert (made is recorder) == (changed == PLAN)
        return sum(made.wants(200) for _ in range(2000))

    assert share(0) == 0
    assert 300 < share(20) < 500  # 18 standard deviations are 320
    assert share(100) == 2000
    assert world.captures.recorder(None, ACCOUNT, ARN, "v") is None


def test_an_answer_is_judged_by_its_own_status_though_the_last_was_taken(world: World) -> None:
    recorder = world.recorder()
    for number, status in enumerate([200, 200, 500, 204, 302, 200]):
        made = Answer(status, [(b"content-type", b"text/csv")], b"")
        assert recorder.take(heard(b"%d" % number), made, time.perf_counter())
    assert list(world.stored().values()) == [["0", "1", "3", "5"]]


def test_as_many_are_taken_as_asked_for(world: World) -> None:
    some = CapturePlan(**{**PLAN.document(), "percentage": 20})
    world.take(*[b"1"] * 2000, plan=some)
    world.take(*[b"2"] * 10, plan=CapturePlan(**{**PLAN.document(), "percentage": 0}))
    ((inputs),) = world.stored().values()
    assert set(inputs) == {"1"} and 300 < len(inputs) < 500


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_file_that_others_fill_next_gets_nothing_more_of_who_filled_it_before(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: bool
) -> None:
    """Also where it is sealed while the recorder gets ready to add to it again and again."""
    first, other = world.recorder(), world.captures.recorder(PLAN, ACCOUNT, ARN, "other")
    assert other is not None
    real = first._alike

    def sealed(*given: Any) -> Any:
        made = real(*given)
        first.seal()
        return made

    if meanwhile:
        monkeypatch.setattr(first, "_alike", sealed)
    world.take(b"1")
    monkeypatch.undo()
    assert list(world.stored().values()) == [["1"]]
    (path,) = (world.folder / "captured").iterdir()
    assert other.take(heard(b"3"), answer(b""), time.perf_counter())
    assert [path] == world.files(), "the other fills the same file"
    world.take(b"4")
    found = [(key.split("/")[2], *inputs) for key, inputs in world.stored().items()]
    assert sorted(found) == [("other", "3"), ("v", "1"), ("v", "4")]


def test_a_clock_that_is_turned_while_a_recorder_gets_ready_is_heeded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = world.recorder()
    real = recorder._alike

    def turned(*given: Any) -> Any:
        made = real(*given)
        world.clock.turn(NOON + 3600)
        return made

    monkeypatch.setattr(recorder, "_alike", turned)
    world.take(b"1")
    monkeypatch.undo()
    world.take(b"2")
    assert [key[:19] for key in world.stored()] == ["p/e/v/2026/05/01/12", "p/e/v/2026/05/01/13"]


def test_time_waits_for_what_was_captured_before_it_wants_to_pass_and_not_for_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "QUIET_SECONDS", 60.0)
    monkeypatch.setattr(recorder_module, "FILE_SECONDS_MAX", 60.0)
    assert not world.captures.is_behind()
    for number in range(3):
        world.take(b"1")
        world.captures.moved()
        assert world.captures.is_behind()
        end = time.monotonic() + 10
        while world.captures.is_behind():
            assert time.monotonic() < end
            time.sleep(0.001)
        world.take(b"2")  # time passes though the endpoint is busy
        assert not world.captures.is_behind()
        assert len(list(world.objects.iter_prefix("captured"))) == number + 1
    world.captures.moved()


# -- what goes wrong --------------------------------------------------------------------------------------------


def killed(world: World, *bodies: bytes) -> Path:
    """The file of a server that was killed after it had captured ``bodies``."""
    world.captures.stop()
    key = "p/e/v/2026/05/01/12/00-00-000-x.jsonl"
    label = Label(ACCOUNT, ARN, "captured", key, PLAN.form(), DRAWN, spool_module.this_boot())
    path = world.folder / "captured" / "left.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(label.line() + FACTS + b"".join(map(entry, bodies)))
    return path


def test_what_a_kill_leaves_ends_in_zeros(world: World) -> None:
    path = killed(world, b"1")
    path.write_bytes(path.read_bytes() + entry(b"2")[:-20] + bytes(100_000))
    world.open()
    assert list(world.stored().values()) == [["1"]]


def test_a_start_delivers_what_a_kill_left_and_cuts_off_what_is_torn(world: World) -> None:
    path = killed(world, b"1", b"2")
    whole = path.read_bytes()
    for size in (len(whole), len(whole) - 1, len(whole) - 40):
        path.write_bytes(whole[:size])
        world.open()
        assert list(world.stored().values()) == [["1", "2"] if size == len(whole) else ["1"]]
        world.captures.stop()
        world.objects.delete("captured", "p/e/v/2026/05/01/12/00-00-000-x.jsonl")


@pytest.mark.parametrize("left", [b"", b"{", b'{"account": "1"}\n', b"\0" * 4096, b"[]\n{}\n"])
def test_a_file_without_its_label_holds_nothing_that_was_answered(world: World, left: bytes) -> None:
    path = killed(world, b"1")
    path.write_bytes(left)
    world.open()
    assert world.stored() == {} and not path.exists()


def test_a_kill_while_a_file_is_cleared_leaves_nothing_of_it(world: World) -> None:
    path = killed(world, b"1", b"2")
    whole = path.read_bytes()
    for size in (1, 40, len(whole) - 30):
        path.write_bytes(b"\0" * size + whole[size:])
        world.open()
        assert world.stored() == {} and not path.exists()
        world.captures.stop()


def test_a_file_is_filled_again_and_holds_nothing_of_what_it_held(world: World) -> None:
    world.take(b"1" * 5000, b"2")
    assert list(world.stored().values()) == [["1" * 5000, "2"]]
    (path,) = (world.folder / "captured").iterdir()
    assert not path.read_bytes().strip(b"\0")
    world.take(b"3")
    assert path.read_bytes().rstrip(b"\0").endswith(b"D"), "a mark"
    assert sorted(world.stored().values()) == [["1" * 5000, "2"], ["3"]]
    assert list((world.folder / "captured").iterdir()) == [path]
    world.captures.drop(ARN)
    end = time.monotonic() + 10
    while path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_bodies_of_zeros_are_there_after_a_kill(world: World) -> None:
    zeros = bytes(3 * PAGESIZE)
    killed(world, b"1", zeros, b"3")
    world.open()
    assert list(world.stored().values()) == [["1", zeros.decode(), "3"]]


def test_blocks_that_a_power_failure_emptied_go_and_what_stands_before_them_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = killed(world, b"1", b"2" * 3 * PAGESIZE, b"3")
    monkeypatch.setattr(spool_module, "this_boot", lambda: "the next")
    content = path.read_bytes()
    assert len(content) > 4 * PAGESIZE
    path.write_bytes(content[: 2 * PAGESIZE] + bytes(PAGESIZE) + content[3 * PAGESIZE :])
    world.open()
    assert list(world.stored().values()) == [["1"]]


def test_what_was_stored_before_the_kill_is_not_stored_again(world: World) -> None:
    path = killed(world, b"1")
    content = path.read_bytes()
    world.open()
    (key,) = world.stored()
    before = world.objects.head("captured", key)
    world.captures.stop()
    path.write_bytes(content)
    world.open()
    assert list(world.stored()) == [key] and world.files() == []
    assert world.objects.head("captured", key) == before


def test_a_bucket_that_is_missing_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(captures_module, "RETRY_SECONDS", 0.05)
    plan = CapturePlan(**{**PLAN.document(), "bucket": "later"})
    world.take(b"1", plan=plan)
    assert world.stored() == {}
    assert len(world.files()) == 1
    time.sleep(0.2)
    assert caplog.text.count("cannot be stored: there is no bucket 'later'") == 1
    world.objects.buckets.create("later", ACCOUNT, "us-east-1")
    end = time.monotonic() + 10
    while world.files():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert len(list(world.objects.iter_prefix("later"))) == 1


def test_an_account_that_goes_takes_its_records_with_it(world: World) -> None:
    world.take(b"1", plan=CapturePlan(**{**PLAN.document(), "bucket": "later"}))
    world.captures.abandon("210987654321")
    assert len(world.files()) == 1
    world.captures.abandon(ACCOUNT)
    assert world.files() == []


def test_a_full_disk_costs_the_record_and_not_the_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int, begin: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "posix_fallocate", full)
        world.take(b"1", b"2")
    assert "cannot be captured: [Errno 28]" in caplog.text
    assert world.files() == []
    world.take(b"3")
    assert "2 requests were not" in caplog.text
    assert list(world.stored().values()) == [["3"]]


def test_too_much_that_waits_is_not_added_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures_module, "CAPTURED_BYTES_MAX", 1000)
    missing = CapturePlan(**{**PLAN.document(), "bucket": "later"})
    world.take(b"x" * 2000, plan=missing)
    assert world.stored() == {}
    world.take(b"1", b"2", plan=missing)
    assert len(world.files()) == 1

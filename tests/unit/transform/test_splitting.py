"""Files become payloads: at every place a payload may be full, nothing is lost and no record is cut."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche_jobs.data.recordio import frame
from cloche_jobs.transform import splitting
from cloche_jobs.transform.batch import MULTI, SINGLE, Manner, Payload, Refused
from cloche_jobs.transform.splitting import payloads


class Bytes(Manner):
    """A manner with a limit in bytes."""

    @property
    def bytes_max(self) -> int | None:
        return self.payload_mb or None


def split(path: Path, kind: str, strategy: str, most: int, *, zipped: bool = False) -> list[Payload]:
    return list(payloads(path, kind, Bytes(strategy, most), gzip=zipped, whole=True))


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


@given(lines=st.lists(st.binary(max_size=12).filter(lambda line: not set(line) & set(b"\r\n")), max_size=40))
def test_no_line_is_cut_or_lost(lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("split")
    content = b"\n".join(lines)
    found = split(written(folder, content), "Line", MULTI, 16)
    assert [line for each in found for line in each.body.split(b"\n") if line] == [line for line in lines if line]
    assert all(len(each.body) <= 16 for each in found)
    for each in found:
        number = each.first - 1
        mine = each.body.removesuffix(b"\n").split(b"\n")
        assert mine == lines[number : number + len(mine)], "the number of its first line is right"
    singles = split(written(folder, content), "Line", SINGLE, 16)
    assert [(each.first, each.body) for each in singles] == [(n, line) for n, line in enumerate(lines, 1) if line]


def test_ends_of_lines_as_windows_writes_them(tmp_path: Path) -> None:
    path = written(tmp_path, b"1,2\r\n3,4\r\n")
    assert [each.body for each in split(path, "Line", SINGLE, 100)] == [b"1,2", b"3,4"]
    assert [each.body for each in split(path, "Line", MULTI, 100)] == [b"1,2\r\n3,4\r\n"]


@pytest.mark.parametrize(("strategy", "first"), [(MULTI, 3), (SINGLE, 3)])
def test_a_line_longer_than_a_payload_is_named(tmp_path: Path, strategy: str, first: int) -> None:
    with pytest.raises(Refused) as refused:
        split(written(tmp_path, b"12345\n12345\n" + b"1" * 9 + b"\n1\n"), "Line", strategy, 8)
    assert (refused.value.kind, refused.value.where) == ("ClientError", f"line {first}")


def test_whole_files(tmp_path: Path) -> None:
    assert [each.body for each in split(written(tmp_path, b"x" * 8), "None", MULTI, 8)] == [b"x" * 8]
    with pytest.raises(Refused, match="longer than MaxPayloadInMB"):
        split(written(tmp_path, b"x" * 9), "None", MULTI, 8)
    assert split(written(tmp_path, b""), "None", MULTI, 8) == []


def test_without_a_limit_the_file_is_sent_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "CHUNK_BYTES", 4)
    for kind in ("None", "Line"):
        (one,) = payloads(written(tmp_path, b"12\n45\n"), kind, Manner(MULTI, 0), gzip=False, whole=False)
        assert one.stream is not None


def test_the_stream_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "CHUNK_BYTES", 4)
    pieces = []
    for one in payloads(written(tmp_path, b"12\n45\n"), "None", Manner(MULTI, 0), gzip=False, whole=False):
        assert one.stream is not None
        pieces += list(one.stream)
    assert pieces == [b"12\n4", b"5\n"]


def test_recordio_with_and_without_its_frames(tmp_path: Path) -> None:
    records = [b"one", b"", b"three33"]
    path = written(tmp_path, b"".join(map(frame, records)))
    assert [each.body for each in split(path, "RecordIO", SINGLE, 100)] == records
    size = len(frame(records[0])) + len(frame(records[1]))
    several = split(path, "RecordIO", MULTI, size)
    assert [(each.first, each.body) for each in several] == [
        (1, frame(records[0]) + frame(records[1])),
        (3, frame(records[2])),
    ]


def test_what_is_no_recordio_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        split(written(tmp_path, frame(b"good") + b"this is no record"), "RecordIO", MULTI, 100)
    assert refused.value.where == "record 2" and "no RecordIO" in refused.value.message


def tfrecord(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", splitting._masked(splitting._crc32c(length))) + data + b"sums"


def test_tfrecords(tmp_path: Path) -> None:
    # A published sum: CRC-32C of "123456789" (reveng.sourceforge.io/crc-catalogue: CRC-32/ISCSI).
    assert splitting._crc32c(b"123456789") == 0xE3069283
    records = [b"one", b"", b"three"]
    path = written(tmp_path, b"".join(map(tfrecord, records)))
    assert [each.body for each in split(path, "TFRecord", SINGLE, 100)] == records
    assert [each.body for each in split(path, "TFRecord", MULTI, 100)] == [path.read_bytes()]
    for bad, word in ((b"x" * 20, "checksum"), (tfrecord(b"one")[:-1], "inside"), (b"short", "head")):
        with pytest.raises(Refused, match=word) as refused:
            split(written(tmp_path, tfrecord(b"good") + bad), "TFRecord", SINGLE, 100)
        assert refused.value.where == "record 2"


def test_gzip_of_several_members(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(b"1,2\n") + gzip.compress(b"3,4\n") + b"\0\0")
    assert [each.body for each in split(path, "Line", SINGLE, 100, zipped=True)] == [b"1,2", b"3,4"]
    for bad, word in ((b"1,2\n", "no gzip"), (gzip.compress(b"1,2\n" * 99)[:-9], "too early")):
        with pytest.raises(Refused, match=word):
            split(written(tmp_path, bad), "Line", MULTI, 1000, zipped=True)

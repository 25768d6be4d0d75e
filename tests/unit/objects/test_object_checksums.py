from __future__ import annotations

import base64
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.storage.objects import checksums

# The check values of the CRC catalogue: the checksum of "123456789"
# (reveng.sourceforge.io/crc-catalogue: CRC-32/ISO-HDLC, CRC-32/ISCSI, CRC-64/NVME).
CHECK = {"CRC32": 0xCBF43926, "CRC32C": 0xE3069283, "CRC64NVME": 0xAE8B14860A799888}


@pytest.mark.parametrize("algorithm", CHECK)
def test_published_check_values(algorithm: str) -> None:
    made = checksums.digest(algorithm)
    made.update(b"123456789")
    assert int.from_bytes(base64.b64decode(made.base64()), "big") == CHECK[algorithm]


@pytest.mark.parametrize("length", [0, 1, checksums.BLOCK - 1, checksums.BLOCK, 2 * checksums.BLOCK + 77])
def test_the_lanes_agree_with_zlib(length: int) -> None:
    data = os.urandom(length)
    assert checksums.crc("CRC32").update(data) == zlib.crc32(data)


@pytest.mark.parametrize("algorithm", CHECK)
def test_the_lanes_agree_with_the_bytes(algorithm: str) -> None:
    data = os.urandom(checksums.BLOCK + 5)
    step = checksums.crc(algorithm)
    slow = step.ones
    for byte in data:
        slow = slow >> 8 ^ step.table[(slow ^ byte) & 0xFF]
    assert step.update(data) == slow ^ step.ones


@given(st.binary(max_size=600), st.integers(0, 600))
def test_a_checksum_may_be_taken_in_pieces(data: bytes, at: int) -> None:
    for algorithm in checksums.ALGORITHMS:
        whole, pieces = checksums.digest(algorithm), checksums.digest(algorithm)
        whole.update(data)
        pieces.update(data[:at])
        pieces.update(data[at:])
        assert whole.base64() == pieces.base64()


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_the_checksum_of_the_whole_follows_from_the_parts(parts: list[bytes]) -> None:
    for algorithm in CHECK:
        sums = []
        for part in parts:
            made = checksums.digest(algorithm)
            made.update(part)
            sums.append((made.base64(), len(part)))
        whole = checksums.digest(algorithm)
        whole.update(b"".join(parts))
        assert checksums.full_object(algorithm, sums) == whole.base64()


def test_a_checksum_has_its_length() -> None:
    assert checksums.is_checksum("CRC32", "AAAAAA==")
    assert not checksums.is_checksum("CRC32", "AAAA")
    assert not checksums.is_checksum("CRC32", "not base64")

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys

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


# The published vectors of XXHash for the empty input and for "hello".
@pytest.mark.parametrize(
    ("algorithm", "data", "expected"),
    [
        ("XXHASH64", b"", "ef46db3751d8e999"),
        ("XXHASH3", b"", "2d06800538d394c2"),
        ("XXHASH128", b"", "99aa06d3014798d86001c324468d497f"),
        ("XXHASH64", b"hello", "26c7827d889f6da3"),
        ("MD5", b"hello", hashlib.md5(b"hello").hexdigest()),
        ("SHA512", b"hello", hashlib.sha512(b"hello").hexdigest()),
    ],
)
def test_hashes(algorithm: str, data: bytes, expected: str) -> None:
    made = checksums.digest(algorithm)
    made.update(memoryview(data))
    assert base64.b64decode(made.base64()).hex() == expected
    assert base64.b64decode(made.base64()).hex() == expected, "it may be asked twice"


@pytest.mark.parametrize("algorithm", CHECK)
def test_crcs_agree_with_their_definition(algorithm: str) -> None:
    polynomial = {"CRC32": 0xEDB88320, "CRC32C": 0x82F63B78, "CRC64NVME": 0x9A6C9329AC4BC9B5}[algorithm]
    data = os.urandom(1000)
    ones = (1 << 8 * checksums.CRCS[algorithm]) - 1
    register = ones
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (polynomial if register & 1 else 0)
    made = checksums.digest(algorithm)
    made.update(bytearray(data))
    assert int.from_bytes(base64.b64decode(made.base64()), "big") == register ^ ones


def test_the_runtime_is_loaded_for_its_checksums_alone() -> None:
    script = """
import sys
import cloche.aws.model.load as load
from cloche.storage.objects import checksums
load.service_model("sts")
checksums.digest("CRC32").update(b"1")
checksums.digest("SHA256").update(b"1")
assert "awscrt" not in sys.modules
checksums.digest("CRC64NVME").update(b"1")
assert "awscrt.checksums" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


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

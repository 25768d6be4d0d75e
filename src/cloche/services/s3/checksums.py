"""The checksums that come with a write: in headers, in trailers, or named to be computed.

Sources: docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html; the messages as S3 gives
them to the suite of OpenStack Swift's S3 layer (openstack/swift, test/s3api/test_object_checksums.py).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers
from cloche.aws.operation import Members
from cloche.services.s3.errors import invalid_request, s3_error
from cloche.storage.objects.checksums import ALGORITHMS, is_checksum

PREFIX: Final = "x-amz-checksum-"
_KNOWN: Final = {algorithm.lower(): algorithm for algorithm in ALGORITHMS}
FULL_OBJECT_ALGORITHMS: Final = ("CRC32", "CRC32C", "CRC64NVME")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the bytes of a write must amount to."""

    md5: str = ""
    """Hexadecimal, from ``Content-MD5``."""
    algorithm: str = ""
    """The additional checksum to compute and keep."""
    value: str = ""
    """Its value, where it came in a header."""
    trailer: str = ""
    """Where it comes in a trailer, that trailer's name."""

    def check(self, md5: str, checksums: Mapping[str, str], trailers: Mapping[str, str]) -> None:
        """Raises BadDigest, InvalidRequest."""
        if self.md5 and self.md5 != md5:
            raise s3_error("BadDigest", ExpectedDigest=self.md5, CalculatedDigest=md5)
        value = self.value
        if self.trailer:
            value = trailers.get(self.trailer, "")
            if not is_checksum(self.algorithm, value):
                raise invalid_request(f"Value for {self.trailer} trailing header is invalid.")
        if value and value != checksums[self.algorithm]:
            raise bad_digest(self.algorithm)


def bad_digest(algorithm: str) -> AwsError:
    return s3_error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def expected_of(request: Members, headers: Headers) -> Expected:
    """Raises InvalidDigest, InvalidRequest, NotImplemented."""
    given = values_in(request)
    trailers = _trailers(headers)
    if len(given) + len(trailers) > 1:
        raise invalid_request("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    named = request.get("ChecksumAlgorithm")
    algorithm, value, trailer = "", "", ""
    if given:
        ((algorithm, value),) = given.items()
        if not is_checksum(algorithm, value):
            raise invalid_request(f"Value for {PREFIX}{algorithm.lower()} header is invalid.")
    elif trailers:
        trailer = trailers[0]
        algorithm = _KNOWN[trailer.removeprefix(PREFIX)]
    elif named:
        check_algorithm(named)
        raise invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found."
        )
    return Expected(content_md5(request.get("ContentMD5")), algorithm, value, trailer)


def values_in(members: Members) -> dict[str, str]:
    """Checksum members (``ChecksumCRC32`` …) by algorithm."""
    return {name: members[f"Checksum{name}"] for name in ALGORITHMS if members.get(f"Checksum{name}") is not None}


def _trailers(headers: Headers) -> list[str]:
    names = [name.strip().lower() for name in headers.get("x-amz-trailer").split(",") if name.strip()]
    found: list[str] = []
    for name in names:
        short = name.removeprefix(PREFIX)
        if not name.startswith(PREFIX):
            continue
        if short not in _KNOWN:
            raise invalid_request("The value specified in the x-amz-trailer header is not supported")
        found.append(name)
    return found


def content_md5(text: str | None) -> str:
    """The hexadecimal digest, or an empty string. Raises InvalidDigest."""
    if text is None:
        return ""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise s3_error("InvalidDigest", **{"Content-MD5": text})
    return digest.hex()


def check_algorithm(name: str) -> str:
    """Its name in capitals. Raises NotImplemented by name, InvalidRequest."""
    upper = name.upper()
    if upper not in ALGORITHMS:
        raise invalid_request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            f"types: [{', '.join(sorted(ALGORITHMS))}]"
        )
    return upper


def checksum_type_of(request: Members, algorithm: str) -> str:
    """How an upload's checksum is made of its parts': as asked, else S3's default for the algorithm
    (checking-object-integrity.html, "Full object and composite checksum types"). Raises InvalidRequest."""
    wanted = request.get("ChecksumType")
    if not algorithm:
        if wanted:
            raise invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )
        return ""
    if wanted is None:
        return "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    if wanted == "FULL_OBJECT" and algorithm not in FULL_OBJECT_ALGORITHMS:
        raise _no_such_type(wanted, algorithm)
    if wanted == "COMPOSITE" and algorithm == "CRC64NVME":
        raise _no_such_type(wanted, algorithm)
    if wanted not in ("FULL_OBJECT", "COMPOSITE"):
        raise invalid_request("Value for x-amz-checksum-type header is invalid.")
    return str(wanted)


def _no_such_type(kind: str, algorithm: str) -> AwsError:
    return invalid_request(f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.")


def as_members(checksums: Mapping[str, str], algorithms: Iterable[str] | None = None) -> dict[str, str]:
    names = checksums if algorithms is None else algorithms
    return {f"Checksum{name}": checksums[name] for name in names if name in checksums}

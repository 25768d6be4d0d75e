"""The pieces an ``Authorization`` header or a presigned query is made of, read strictly."""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

ALGORITHM: Final = "AWS4-HMAC-SHA256"
ALGORITHM_V4A: Final = "AWS4-ECDSA-P256-SHA256"

_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z").fullmatch
_NAME: Final = re.compile(r"[a-z0-9-]{1,64}").fullmatch
_DAY: Final = re.compile(r"\d{8}").fullmatch
_ACCESS_KEY: Final = re.compile(r"[\w.@+=-]{1,128}", re.ASCII).fullmatch
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+").fullmatch


class Malformed(ValueError):
    """The text says what is missing or wrong; it repeats nothing secret."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature covers: a key, a day, a region, a service, and the names of the signed headers."""

    access_key: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


@lru_cache(maxsize=1024)
def parse_date(text: str) -> int:
    """``20261125T150000Z`` as seconds since 1970."""
    found = _DATE(text)
    if found is None:
        raise Malformed("the date is not of the form YYYYMMDD'T'HHMMSS'Z'")
    year, month, day, hour, minute, second = map(int, found.groups())
    if not (year and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        raise Malformed("the date is not of the form YYYYMMDD'T'HHMMSS'Z'")
    return timegm((year, month, day, hour, minute, second))


def parse_credential(credential: str, signed_headers: str) -> Scope:
    """``AKID/20261125/us-east-1/sts/aws4_request`` and ``host;x-amz-date``."""
    if len(credential) + len(signed_headers) <= 1024:
        return _known_credential(credential, signed_headers)
    return _read_credential(credential, signed_headers)


def _read_credential(credential: str, signed_headers: str) -> Scope:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise Malformed("Credential must have five slash-delimited parts and end in aws4_request")
    access_key, day, region, service, _ = parts
    if not (_ACCESS_KEY(access_key) and _DAY(day) and _NAME(region) and _NAME(service)):
        raise Malformed("Credential must be of the form access-key/date/region/service/aws4_request")
    signed = tuple(signed_headers.split(";"))
    if not all(map(_HEADER_NAME, signed)) or len(set(signed)) != len(signed):
        raise Malformed("SignedHeaders must be names in lower case, each once, separated by semicolons")
    return Scope(access_key, day, region, service, signed)


_known_credential = lru_cache(maxsize=1024)(_read_credential)
"""The same for a client's every like request of a day."""


def parse_authorization(value: str) -> tuple[Scope, str]:
    """The scope and the signature of an ``Authorization`` header of Signature Version 4."""
    front, found, signature = value.rpartition(", Signature=")
    if found and len(front) <= 1024 and signature.isalnum():
        return _front(front), signature
    fields = _fields(value)
    if "Signature" not in fields:
        raise Malformed("Authorization header requires 'Signature' parameter.")
    return _scope(fields), fields["Signature"]


@lru_cache(maxsize=1024)
def _front(front: str) -> Scope:
    """All but the signature, which is as often the same."""
    return _scope(_fields(front))


def _scope(fields: dict[str, str]) -> Scope:
    for name in ("Credential", "SignedHeaders"):
        if not fields.get(name):
            raise Malformed(f"Authorization header requires '{name}' parameter.")
    return parse_credential(fields["Credential"], fields["SignedHeaders"])


def _fields(value: str) -> dict[str, str]:
    algorithm, _, rest = value.partition(" ")
    if algorithm != ALGORITHM:
        raise Malformed(f"the algorithm is not {ALGORITHM}")
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, found, content = part.strip().partition("=")
        if not found or name in fields:
            raise Malformed("Authorization header must hold Credential, SignedHeaders and Signature, each once.")
        fields[name] = content
    return fields

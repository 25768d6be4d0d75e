"""SSE-C: objects under a key that the caller brings with every request and that nobody keeps.

What is kept of a key is a salted HMAC, to know it again, and its MD5, which S3 tells in every answer
(docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html). Cloche does not encrypt the
bytes yet; it refuses them to whoever does not bring the key.

The words are S3's as recorded of it: localstack/localstack, tests/aws/services/s3/test_s3.snapshot.json,
TestS3SSECEncryption.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Members
from cloche.services.s3.errors import invalid_request, s3_error

HEADER: Final = "x-amz-server-side-encryption-customer-"
_ARGUMENT: Final = "x-amz-server-side-encryption"
"""So S3 names whatever is wrong with one of the three headers."""
KEY_BYTES: Final = 32
_ASKING: Final = "Requests specifying Server Side Encryption with Customer provided keys must provide"
_OTHERWISE: Final = (
    "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
    "encryption parameters."
)
_SALT: Final = "KeySalt"
_CHECK: Final = "KeyCheck"
PRIVATE: Final = frozenset((_SALT, _CHECK))
"""What an object's encryption holds for Cloche alone."""


def customer_key(request: Members, *, source: bool = False) -> bytes | None:
    """The key that came with the request (for reading the source of a copy, with ``source``), checked against its MD5.
    Raises InvalidArgument."""
    start = "CopySourceSSECustomer" if source else "SSECustomer"
    algorithm, text, digest = (request.get(f"{start}{name}") for name in ("Algorithm", "Key", "KeyMD5"))
    if algorithm is None and text is None and digest is None:
        return None
    if algorithm is None:
        raise _wrong(f"{_ASKING} a valid encryption algorithm.")
    if algorithm != "AES256":
        raise s3_error(
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
            ArgumentName=_ARGUMENT,
            ArgumentValue=algorithm,
        )
    if text is None:
        raise _wrong(f"{_ASKING} an appropriate secret key.")
    if digest is None:
        # Words: minio/minio, cmd/api-errors.go; no client of S3's own leaves it out
        raise _wrong(f"{_ASKING} the client calculated MD5 of the secret key.")
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise _wrong("The secret key was invalid for the specified algorithm.")
    if not hmac.compare_digest(_md5(key).encode(), digest.strip().encode()):
        raise _wrong("The calculated MD5 hash of the key did not match the hash that was provided.")
    return key


def _wrong(words: str) -> AwsError:
    return s3_error("InvalidArgument", words, ArgumentName=_ARGUMENT)


def encryption_under(key: bytes) -> dict[str, Any]:
    """What an object that is stored under ``key`` keeps of it."""
    salt = secrets.token_bytes(16)
    return {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKeyMD5": _md5(key),
        _SALT: salt.hex(),
        _CHECK: _check(salt, key),
    }


def is_under_customer_key(encryption: Mapping[str, Any]) -> bool:
    return _CHECK in encryption


def check_customer_key(encryption: Mapping[str, Any], request: Members, *, source: bool = False) -> None:
    """That the request may read what is stored under ``encryption``. Raises InvalidRequest where a key is missing or
    out of place, and AccessDenied for another key than the object's."""
    key = customer_key(request, source=source)
    if not is_under_customer_key(encryption):
        if key is not None:
            raise invalid_request("The encryption parameters are not applicable to this object.")
        return
    if key is None:
        raise invalid_request(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to "
            "retrieve the object."
        )
    if not _fits(encryption, key):
        raise s3_error("AccessDenied", f"{_ASKING} the correct secret key.")


def check_part_key(encryption: Mapping[str, Any], request: Members) -> None:
    """That a part comes with the key its upload began with. Raises InvalidRequest."""
    key = customer_key(request)
    if not is_under_customer_key(encryption):
        if key is not None:
            raise invalid_request(_OTHERWISE)  # every upload requests some encryption
        return
    if key is None:
        raise invalid_request(_OTHERWISE)
    if not _fits(encryption, key):
        raise invalid_request("The provided encryption parameters did not match the ones used originally.")


def _fits(encryption: Mapping[str, Any], key: bytes) -> bool:
    return hmac.compare_digest(encryption[_CHECK], _check(bytes.fromhex(encryption[_SALT]), key))


def _check(salt: bytes, key: bytes) -> str:
    return hmac.new(salt, key, hashlib.sha256).hexdigest()


def _md5(key: bytes) -> str:
    return base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()

"""Request bodies that a client has compressed (``Content-Encoding: gzip``; boto3 does so from 10 KiB on for
CloudWatch's ``PutMetricData``). The signature is over the compressed bytes; what is parsed is not.

A compressed body may hold a thousand times its size, so no more is unpacked than a plain body might have held.
"""

from __future__ import annotations

import zlib

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.aws.protocols.codec import serialization_error
from cloche.foundation.limits import PARSED_BODY_BYTES_MAX


def is_compressed(request: HttpRequest) -> bool:
    return request.headers.get("content-encoding").strip().lower() == "gzip"


def unpacked(body: bytes) -> bytes:
    """Raises ``SerializationException`` for what is no gzip, 413 for what is too large unpacked."""
    machine = zlib.decompressobj(31)
    try:
        plain = machine.decompress(body, PARSED_BODY_BYTES_MAX + 1)
    except zlib.error:
        raise serialization_error("The body is not gzip.") from None
    if len(plain) > PARSED_BODY_BYTES_MAX:
        raise AwsError("RequestEntityTooLarge", "The request body is too large.", 413)
    if not machine.eof or machine.unused_data:
        raise serialization_error("The gzip body is cut or continued.")
    return plain

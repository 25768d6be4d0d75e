"""Signature Version 2 of S3: links and browser forms, in which today's clients still make it, and the header.

An unmodified boto3 signs links (``generate_presigned_url``) and forms (``generate_presigned_post``) of us-east-1 so,
whatever signature its requests carry. The Authorization header of that version is for buckets of before June 2020:
no client sends it unless it is told to, and it is taken only where S3 is to be as it was (``Verifier.old_header``).
See docs/decisions/0008-signature-version-2-in-links.md.

Sources: docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html (string to sign, header, query form),
docs.aws.amazon.com/AmazonS3/latest/userguide/HTTPPOSTForms.html (form), botocore/auth.py (``HmacV1Auth``).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest, is_header_name, is_header_value
from cloche.aws.signing.keys import Credentials, same
from cloche.aws.signing.refusals import Family
from cloche.aws.signing.sigv4 import SECRET_HEADERS, UNSIGNED, Verified, caller_of, check_skew, check_token
from cloche.foundation.clock import from_epoch, to_iso

if TYPE_CHECKING:
    from cloche.aws.signing.sigv4 import Verifier

_SUBRESOURCES: Final = frozenset(
    {
        "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "encryption", "inventory", "legal-hold",
        "lifecycle", "location", "logging", "metrics", "notification", "object-lock", "ownershipControls", "partNumber",
        "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment", "response-cache-control",
        "response-content-disposition", "response-content-encoding", "response-content-language",
        "response-content-type", "response-expires", "restore", "retention", "select", "select-type", "storageClass",
        "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    }
)  # fmt: skip
_BLANKS: Final = re.compile(r"\s*\n\s*")
_MOVED: Final = ("content-md5", "content-type")
"""Headers that a signer of links puts into the query, besides ``x-amz-*``."""


def is_link(query: str) -> bool:
    """Is this a query signed so?"""
    return "AWSAccessKeyId=" in query and "Signature=" in query


def with_headers_of_link(request: HttpRequest) -> HttpRequest:
    """The request with those headers that its link carries in the query where headers belong. Raises InvalidArgument
    for what no header can carry."""
    moved = [
        (name.lower(), _raw(value))
        for name, _, value in (part.partition("=") for part in request.query.split("&"))
        if name.lower().startswith("x-amz-") or name.lower() in _MOVED
    ]
    for name, value in moved:
        if not (is_header_name(name) and is_header_value(value)):
            raise AwsError("InvalidArgument", "A header cannot carry this value.", fields={"ArgumentName": name})
    missing = [(name, value) for name, value in moved if name not in request.headers]
    return replace(request, headers=Headers([*request.headers.items, *missing])) if missing else request


def verify_link(verifier: Verifier, request: HttpRequest, bucket: str, family: Family, now: float) -> Verified:
    """Who made this link. ``bucket`` is the one that the host names, if any. Raises ``AwsError`` (403)."""
    fields = {_raw(name): _raw(value) for name, _, value in (part.partition("=") for part in request.query.split("&"))}
    expires = fields.get("Expires", "")
    if not (expires.isascii() and expires.isdigit() and len(expires) < 12):
        raise _incomplete(fields)
    access_key = fields.get("AWSAccessKeyId", "")
    credentials = verifier.find(access_key, family)
    if credentials is None:
        assert verifier.open_as is not None
        return Verified(verifier.open_as(access_key), "", UNSIGNED)
    if now >= int(expires):
        times = {"Expires": to_iso(from_epoch(int(expires))), "ServerTime": to_iso(from_epoch(now))}
        raise AwsError("AccessDenied", "Request has expired", 403, fields=times)
    signature = fields.get("Signature", "").replace(" ", "+")
    text = _string_to_sign(request, fields, bucket, expires)
    if not same(_sign(credentials, text), signature):
        raise family.refuse(family.mismatch, fields=_shown(access_key, signature, text))
    token = {name.lower(): value for name, value in fields.items()}.get("x-amz-security-token", "")
    check_token(verifier, credentials, token or request.headers.get("x-amz-security-token"), now, family)
    return Verified(caller_of(credentials), "", UNSIGNED)


def verify_header(verifier: Verifier, request: HttpRequest, bucket: str, family: Family, now: float) -> Verified:
    """Who signed ``Authorization: AWS key:signature``. It covers the method, the path, sub-resources, three headers
    and ``x-amz-*``; of the body what Content-MD5 covers. Raises ``AwsError`` (400, 403)."""
    access_key, colon, signature = request.headers.get("authorization").removeprefix("AWS ").strip().partition(":")
    if not (access_key and colon and signature):
        # Words: minio/minio, cmd/api-errors.go, and the pages of S3's users who met it.
        text = "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature"
        raise AwsError("InvalidArgument", text, 400)
    credentials = verifier.find(access_key, family)
    if credentials is None:
        assert verifier.open_as is not None
        return Verified(verifier.open_as(access_key), "", UNSIGNED)
    amz_date = request.headers.get("x-amz-date")
    date = amz_date or request.headers.get("date")
    check_skew(_moment(date), date, now, family)
    # The same page: where x-amz-date is there, the place of the date is left empty.
    text = _string_to_sign(request, {}, bucket, "" if amz_date else date)
    if not same(_sign(credentials, text), signature):
        raise family.refuse(family.mismatch, fields=_shown(access_key, signature, text))
    check_token(verifier, credentials, request.headers.get("x-amz-security-token"), now, family)
    return Verified(caller_of(credentials), "", UNSIGNED)


def _moment(date: str) -> float:
    """RESTAuthentication.html, "Time stamp requirement": without a valid time stamp a request is not authenticated.
    Raises AccessDenied, in the words that S3's users report."""
    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        words = "AWS authentication requires a valid Date or x-amz-date header"
        raise AwsError("AccessDenied", words, 403) from None


def verify_policy(
    verifier: Verifier, access_key: str, policy: str, signature: str, token: str, family: Family, now: float
) -> Verified:
    """Who signed the policy of a form. Raises ``AwsError`` (403)."""
    credentials = verifier.find(access_key, family)
    if credentials is None:
        assert verifier.open_as is not None
        return Verified(verifier.open_as(access_key), "", UNSIGNED)
    if not same(_sign(credentials, policy), signature):
        raise family.refuse(family.mismatch, fields={"AWSAccessKeyId": access_key})
    check_token(verifier, credentials, token, now, family)
    return Verified(caller_of(credentials), "", UNSIGNED)


def _sign(credentials: Credentials, text: str) -> str:
    return base64.b64encode(hmac.digest(credentials.secret_key.encode(), text.encode("latin-1"), "sha1")).decode()


def _shown(access_key: str, signature: str, text: str) -> dict[str, str]:
    """What S3 shows so that a signer's author can compare; the text only if it holds no secret."""
    shown = {"AWSAccessKeyId": access_key, "SignatureProvided": signature}
    return shown if any(f"{name}:" in text for name in SECRET_HEADERS) else shown | {"StringToSign": text}


def _string_to_sign(request: HttpRequest, fields: dict[str, str], bucket: str, time: str) -> str:
    """``fields`` are those of a link's query, ``time`` its expiry or a header's date."""
    lowered = {name.lower(): value for name, value in fields.items()}

    def header(name: str) -> str:
        return request.headers.get(name) or lowered.get(name, "")

    amz: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name.startswith("x-amz-"):
            amz.setdefault(name, []).append(_BLANKS.sub(" ", value).strip())
    for name, value in lowered.items():
        if name.startswith("x-amz-") and name not in amz:
            amz[name] = [value.strip()]
    lines = "".join(f"{name}:{','.join(values)}\n" for name, values in sorted(amz.items()))
    path = f"/{bucket}{request.path}" if bucket else request.path
    if path.count("/") == 1 and len(path) > 1:
        path += "/"  # so clients name a bucket, however they write it in the path (botocore/auth.py: ``auth_path``)
    parts = []
    for part in request.query.split("&"):
        name, equals, value = part.partition("=")
        if name in _SUBRESOURCES:
            parts.append((name, f"{name}={_raw(value)}" if equals and value else name))
    resource = path + ("?" + "&".join(text for _, text in sorted(parts)) if parts else "")
    return f"{request.method}\n{header('content-md5')}\n{header('content-type')}\n{time}\n{lines}{resource}"


def _incomplete(fields: dict[str, str]) -> AwsError:
    # docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: AccessDenied, as S3 words it for this.
    if "Expires" in fields:
        return AwsError("AccessDenied", f"Invalid date (should be seconds since epoch): {fields['Expires'][:64]}", 403)
    return AwsError(
        "AccessDenied", "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters", 403
    )


def decoded_policy(policy: str) -> bytes:
    """Raises ``ValueError`` for what is not base64."""
    try:
        return base64.b64decode(policy, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _raw(text: str) -> str:
    """Percent-decoded, one character a byte, as all that is signed here."""
    return unquote(text, "latin-1")

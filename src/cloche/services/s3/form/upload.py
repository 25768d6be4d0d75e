"""What a form uploads, as the PutObject that it stands for, and what its sender is answered.

Source: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html and …/API/RESTObjectPOST.html
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit
from xml.sax.saxutils import escape

from cloche.aws.http import Headers, HttpRequest, HttpResponse, is_header_name, is_header_value
from cloche.aws.model.load import service_model
from cloche.aws.protocols import parse_request
from cloche.services.s3.errors import invalid_argument, s3_error
from cloche.services.s3.form.policy import SizeRange
from cloche.services.s3.form.reader import Form

_RENAMED: Final = {"acl": "x-amz-acl"}
_HEADERS: Final = (
    "cache-control", "content-type", "content-disposition", "content-encoding", "content-language", "expires",
)  # fmt: skip
_OF_THE_FORM: Final = (
    "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token",
    "x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-copy-source",
)  # fmt: skip


_NO_KEY: Final = (
    "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."
)


def meant_fields(form: Form) -> dict[str, str]:
    """The form's fields with ``${filename}`` replaced by the file's name. Raises InvalidArgument without a key."""
    if not form.fields.get("key"):
        raise invalid_argument("key", "", _NO_KEY)
    name = re.split(r"[/\\]", form.filename)[-1]
    return {field: value.replace("${filename}", name) for field, value in form.fields.items()}


def put_request(request: HttpRequest, bucket: str, fields: Mapping[str, str], file: FormFile) -> HttpRequest:
    """The PutObject that the form stands for. Raises InvalidArgument for a field that no header can carry."""
    headers = [("host", request.host), ("transfer-encoding", "chunked")]
    for name in ("user-agent", "referer", "sec-fetch-dest"):
        if name in request.headers:
            headers.append((name, request.headers.get(name)))
    for field, value in fields.items():
        name = _RENAMED.get(field, field)
        if field == "tagging":
            name, value = "x-amz-tagging", _tags(request, value)
        elif (name not in _HEADERS and not name.startswith("x-amz-")) or name in _OF_THE_FORM:
            continue
        if not (is_header_name(name) and is_header_value(value)):
            raise s3_error("InvalidArgument", "A header cannot carry this value.", ArgumentName=field)
        headers.append((name, value.encode().decode("latin-1")))
    path = f"/{bucket}/{quote(fields['key'], safe='~/')}"
    return HttpRequest("PUT", path, "", Headers(headers), b"", file, request.scheme, request.client)


def _tags(request: HttpRequest, document: str) -> str:
    """The tags of a ``<Tagging>`` document as ``x-amz-tagging`` has them. Raises MalformedXML."""
    model = service_model("s3")
    tagging = HttpRequest("PUT", "/bucket/key", "tagging", Headers([("host", request.host)]), document.encode())
    members = parse_request(model, model.operation_model("PutObjectTagging"), "rest-xml", tagging)
    tag_set = (members.get("Tagging") or {}).get("TagSet")
    if tag_set is None or any("Key" not in tag or "Value" not in tag for tag in tag_set):
        raise s3_error("MalformedXML")
    return urlencode([(tag["Key"], tag["Value"]) for tag in tag_set])


class FormFile:
    """The file as a body that is still arriving. Raises EntityTooLarge and EntityTooSmall for one that is not of the
    size that the policy allows."""

    def __init__(self, form: Form, size: SizeRange) -> None:
        self._form = form
        self._size = size
        self.trailers: Mapping[str, str] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for piece in self._form.file():
            total += len(piece)
            if total > self._size.most:
                raise s3_error("EntityTooLarge", ProposedSize=total, MaxSizeAllowed=self._size.most)
            yield piece
        if total < self._size.least:
            raise s3_error("EntityTooSmall", ProposedSize=total, MinSizeAllowed=self._size.least)


def answer(response: HttpResponse, request: HttpRequest, bucket: str, fields: Mapping[str, str]) -> HttpResponse:
    """PutObject's answer as the form's sender is to see it: 204, another status that he asked for, or the way on."""
    left_out = ("content-type", "content-length")
    headers = [(name, value) for name, value in response.headers if name.lower() not in left_out]
    etag = next((value for name, value in headers if name.lower() == "etag"), "")
    location = f"{request.scheme}://{request.host}{request.path.rstrip('/')}/{quote(fields['key'], safe='~')}"
    to = fields.get("success_action_redirect") or fields.get("redirect")
    if to and (onward := _onward(to, bucket, fields["key"], etag)):
        return HttpResponse(303, [*headers, ("location", onward)])
    headers.append(("location", location))
    status = fields.get("success_action_status", "")
    if status == "201":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<PostResponse><Location>{escape(location)}</Location><Bucket>{escape(bucket)}</Bucket>"
            f"<Key>{escape(fields['key'])}</Key><ETag>{escape(etag)}</ETag></PostResponse>"
        )
        return HttpResponse(201, [*headers, ("content-type", "application/xml")], body.encode())
    return HttpResponse(200 if status == "200" else 204, headers)


def _onward(url: str, bucket: str, key: str, etag: str) -> str:
    """Where the sender is sent, with what he uploaded; empty for what is no web address, which S3 ignores."""
    if any(ord(c) < 33 or ord(c) > 126 for c in url):
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    told = urlencode({"bucket": bucket, "key": key, "etag": etag}, quote_via=quote)
    return urlunsplit(parts._replace(query=f"{parts.query}&{told}" if parts.query else told))

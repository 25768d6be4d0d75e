"""The short way of small objects: plain ``PutObject``, ``GetObject`` and ``HeadObject`` of path-style addresses.

Plain is a request whose headers ask for nothing but the object, of a bucket whose configuration has no say in who may
do what. What a GET or HEAD tells of an object is made by the ordinary handler's own functions once and remembered
with the very row it was made from: each request looks at the row anew, and another row is another answer. A PUT is
parsed, checked and planned by the ordinary functions; what it spares is tasks, threads and a commit of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Any, Final, cast

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.operation import Context, Members
from cloche.aws.protocols import parse_request, serialize_response
from cloche.aws.protocols.http_bindings import decode_label
from cloche.aws.protocols.rest_xml import host_id
from cloche.aws.routing import Routed, bucket_of_host, route
from cloche.aws.signing.refusals import S3
from cloche.aws.signing.sigv4 import UNSIGNED, content_mismatch
from cloche.aws.validation import validate
from cloche.server.app import Chain, with_answer
from cloche.server.quick.cycle import QuickCycle, block_of
from cloche.server.quick.together import Together
from cloche.services.parts import Parts
from cloche.storage.objects import Bucket, BucketNotFound, ObjectInfo, ObjectStore
from cloche.storage.objects.blobs import BLOB_BYTES_MAX
from cloche.storage.objects.records import NULL_VERSION, object_from
from cloche.storage.objects.writer import written_of

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol
    from cloche.services.s3.put import Put

REMEMBERED_MAX: Final = 4_096
"""Answers, of one KiB or so each."""
OPERATIONS: Final = {b"GET": "GetObject", b"HEAD": "HeadObject", b"PUT": "PutObject"}

_PATH: Final = re.compile(rb"/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([A-Za-z0-9_.~!*'()/%=+:,@&$;-]+)").fullmatch
_NOT_BUCKETS: Final = (b"service", b"v20180820")
"""What stands first in paths that are not S3's, or not of objects: see ``aws/routing``."""
_QUERY: Final = frozenset(
    {
        "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
        "X-Amz-Security-Token", "x-id",
    }
)  # fmt: skip
_SIGNED: Final = frozenset({"x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-user-agent"})
_SCOPE: Final = "/s3/aws4_request"
_CHECKSUM_MODE: Final = "x-amz-checksum-mode"
_UNUSUAL: Final = frozenset(
    {"transfer-encoding", "expect", "upgrade", "content-encoding", "origin", "content-md5", "range"}
)
_UNUSUAL_OF_PUT: Final = frozenset(
    {"transfer-encoding", "expect", "upgrade", "content-encoding", "origin", "x-amz-copy-source", "x-amz-trailer",
     "x-amz-decoded-content-length", "x-amz-acl"}
)  # fmt: skip
_OPEN: Final = frozenset({"CORS", "Encryption", "LifecycleConfiguration", "Notification", "ObjectLock", "Tagging"})
"""What may be configured on a bucket without a say in who may do what."""


class QuickObjects:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.store: ObjectStore = cast(Parts, chain.parts).objects
        self.together = Together(chain.parts.database)
        self.targets: dict[str, Routed] = {}
        self._remembered: dict[tuple[str, str], Seen] = {}

    def takes(self, protocol: HttpProtocol, method: bytes, target: bytes) -> QuickCycle | None:
        offered = self.chain.dispatch.ready("s3")
        if offered is None or self.chain.fallback is not None:
            return None
        path, _, query = target.partition(b"?")
        found = _PATH(path)
        if found is None or found[1] in _NOT_BUCKETS:
            return None
        headers = Headers.received([(str(name, "latin-1"), str(value, "latin-1")) for name, value in protocol.headers])
        if not _is_plain(method, headers, str(query, "latin-1")):
            return None
        try:
            bucket = self.store.buckets.get(str(found[1], "ascii"))
            key = decode_label(str(found[2], "ascii"))
        except (BucketNotFound, UnicodeDecodeError):
            return None
        if not _OPEN.issuperset(bucket.configuration):
            return None
        place = (protocol, str(method, "ascii"), str(path, "ascii"), str(query, "latin-1"), headers, bucket, key)
        if method == b"PUT":
            return PutCycle(self, *place)
        seen = self.store.glance(bucket.name, key)
        if seen is None or (method == b"GET" and seen[1] is None):
            return None
        cycle = GetCycle(self, *place)
        cycle.row, cycle.data = seen
        return cycle

    def seen(self, bucket: Bucket, key: str, row: tuple[Any, ...]) -> Seen:
        """What is known of the object of that row."""
        known = self._remembered.get((bucket.name, key))
        if known is None or known.row != row or known.bucket is not bucket:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            known = self._remembered[bucket.name, key] = Seen(row, bucket)
        return known

    def routed(self, name: str, request: HttpRequest) -> Routed:
        """Service, operation and protocol of a request for that operation."""
        target = self.targets.get(name)
        if target is None:
            target = self.targets[name] = route(request)
        return target


def _is_plain(method: bytes, headers: Headers, query: str) -> bool:
    host = headers.get("host")
    if headers.repeats or bucket_of_host(host) or ".localhost" in host:
        return False
    if not _is_signed_once(headers, query):
        return False
    if method == b"PUT":
        return _is_plain_put(headers)
    for name, _ in headers.items:
        if name in _UNUSUAL or name.startswith(("if-", "sec-")):
            return False
        if name.startswith("x-amz-") and name not in _SIGNED and name != _CHECKSUM_MODE:
            return False
    return headers.get("content-length", "0") == "0" and headers.get(_CHECKSUM_MODE, "ENABLED") == "ENABLED"


def _is_signed_once(headers: Headers, query: str) -> bool:
    authorization = headers.get("authorization")
    if not query or query.startswith("x-id="):
        return "&" not in query and authorization.startswith("AWS4-HMAC-SHA256 ") and _SCOPE in authorization
    if authorization or "%2Fs3%2Faws4_request" not in query or "X-Amz-Signature=" not in query:
        return False
    return all(part.partition("=")[0] in _QUERY for part in query.split("&"))


def _is_plain_put(headers: Headers) -> bool:
    for name, _ in headers.items:
        if name in _UNUSUAL_OF_PUT or name.startswith(("sec-", "x-amz-grant-")):
            return False
    if headers.get("x-amz-content-sha256").startswith("STREAMING-"):
        return False
    length = headers.get("content-length")
    return length.isascii() and length.isdigit() and len(length) < 6 and int(length) <= BLOB_BYTES_MAX


class Seen:
    """An object's row, the bucket as it was then, and the headers that were made of them."""

    __slots__ = ("blocks", "bucket", "row")

    def __init__(self, row: tuple[Any, ...], bucket: Bucket) -> None:
        self.row = row
        self.bucket = bucket
        self.blocks: dict[tuple[str, bool], bytes] = {}


class ObjectCycle(QuickCycle):
    __slots__ = ("_bucket", "_key", "_quick")

    def __init__(
        self,
        quick: QuickObjects,
        protocol: HttpProtocol,
        method: str,
        path: str,
        query: str,
        headers: Headers,
        bucket: Bucket,
        key: str,
    ) -> None:
        super().__init__(quick.chain, protocol, path, headers, method, query)
        self._quick = quick
        self._bucket = bucket
        self._key = key

    def names(self) -> tuple[str, str]:
        return "s3", OPERATIONS[self._method.encode()]

    def admit(self, request: HttpRequest, *, streams: bool = False) -> tuple[Context, str]:
        """The context, once the signature holds; and what it says of the body."""
        chain, exchange = self.chain, self.exchange
        verified = chain.verifier.verify(request, S3, chain.clock.real(), streams=streams)
        exchange.caller = verified.caller
        return chain.context(exchange.request_id, verified.caller, verified.region, request), verified.payload

    def authorize(self, context: Context, members: Members) -> None:
        offered = self.chain.dispatch.ready("s3")
        assert offered is not None
        self.chain.authorize(context, "s3", offered.operation(self.names()[1]), members)

    def ids(self) -> bytes:
        request_id = self.exchange.request_id
        return f"x-amz-request-id: {request_id}\r\nx-amz-id-2: {host_id(request_id)}\r\n".encode("ascii")


class GetCycle(ObjectCycle):
    """``row`` and ``data`` are the object's as the headers of the request came; a HEAD may have no data."""

    __slots__ = ("data", "row")

    row: tuple[Any, ...]
    data: bytes | None

    def begin(self, request: HttpRequest) -> None:
        members: Members = {"Bucket": self._bucket.name, "Key": self._key}
        sums = _CHECKSUM_MODE in self.headers
        if sums:
            members["ChecksumMode"] = "ENABLED"
        context, _ = self.admit(request)
        self.authorize(context, members)
        seen = self._quick.seen(self._bucket, self._key, self.row)
        block = seen.blocks.get((self._method, sums))
        if block is None:
            block = seen.blocks[self._method, sums] = self._made(context, members)
        self.send(200, self.ids() + block, self.data or b"", tells_length=True)

    def _made(self, context: Context, members: Members) -> bytes:
        """The headers but for the ids, as the ordinary handler has them."""
        from cloche.services.s3.get import content_answer, head_answer
        from cloche.services.s3.handling import placing

        info = object_from(self.row)
        with placing(members):
            if self._method == "HEAD":
                answer = head_answer(context, members, info)
            else:
                answer = content_answer(context, members, info, self.data or b"")
        target = self._quick.routed(self.names()[1], context.http)
        response = serialize_response(
            target.service, target.operation, target.protocol, answer.members, context.http, ""
        )
        return block_of(with_answer(response, answer).headers[2:])


class PutCycle(ObjectCycle):
    __slots__ = ("_foreseen",)

    _foreseen: tuple[int, bytes] | None
    """Status and headers of the answer, made while the disk is waited for."""

    def begin(self, request: HttpRequest) -> None:
        from cloche.services.s3.causes import cause_of_put
        from cloche.services.s3.handling import check_key, placing
        from cloche.services.s3.put import planned
        from cloche.services.s3.refusals import refuse_unsupported

        context, payload = self.admit(request, streams=True)
        target = self.exchange.target = self._quick.routed("PutObject", request)
        members = parse_request(target.service, target.operation, target.protocol, request)
        validate(target.service, target.operation, members)
        self.authorize(context, members)
        with placing(members):
            refuse_unsupported(members)
            check_key(members["Key"])
            put = planned(context, members)
            body = request.body
            if payload != UNSIGNED and (found := hashlib.sha256(body).hexdigest()) != payload:
                raise content_mismatch(payload, found)
            written = written_of(body, put.algorithms)
            put.expected.check(written.md5, written.checksums, {})
        store, details, cause = self._quick.store, put.described(written), cause_of_put(context)
        bucket, key = members["Bucket"], members["Key"]
        self._foreseen = None

        def answer(done: ObjectInfo | Exception) -> None:
            try:
                with placing(members):
                    if isinstance(done, Exception):
                        raise done
                    if self._foreseen is None or done.version != NULL_VERSION:
                        self._foreseen = self._made(put.answer(done))
                    self.send(*self._foreseen, b"")
            except Exception as error:
                self.refuse(error)

        self._quick.together.change(
            lambda tx: store.commit_in(tx, bucket, key, written, details, condition=put.condition, cause=cause), answer
        )
        if "LifecycleConfiguration" not in put.bucket.configuration:  # whose answer depends on when it was written
            foreseen = ObjectInfo(bucket, key, written.size, written.md5, context.now, NULL_VERSION, details)
            asyncio.get_running_loop().call_soon(self._foresee, put, foreseen)

    def _foresee(self, put: Put, info: ObjectInfo) -> None:
        if not self.response_complete:
            self._foreseen = self._made(put.answer(info))

    def _made(self, members: Members) -> tuple[int, bytes]:
        exchange = self.exchange
        assert exchange.request is not None and exchange.target is not None
        target = exchange.target
        response = serialize_response(
            target.service, target.operation, target.protocol, members, exchange.request, exchange.request_id
        )
        return response.status, block_of(response.headers)

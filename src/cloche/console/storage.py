"""The S3 browser: buckets, prefixes, objects; a look inside and a download."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.aws.http import FileSlice
from cloche.console.asking import Ask, Members, ask_or
from cloche.console.door import HEADERS
from cloche.console.pages import Pages

LOOK_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024


class StoragePages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/_cloche/s3", self.buckets),
            Route("/_cloche/s3/{bucket}", self.bucket),
            Route("/_cloche/s3/{bucket}/object", self.object),
            Route("/_cloche/s3/{bucket}/download", self.download),
        ]

    async def buckets(self, request: Request) -> Response:
        answer = await self._ask("s3", "ListBuckets", {})
        return self._pages.show("buckets.html", buckets=answer.get("Buckets") or [])

    async def bucket(self, request: Request) -> Response:
        bucket, prefix = request.path_params["bucket"], request.query_params.get("prefix", "")
        members: Members = {"Bucket": bucket, "Prefix": prefix, "Delimiter": "/", "MaxKeys": 200}
        if token := request.query_params.get("next"):
            members["ContinuationToken"] = token
        try:
            answer = await self._ask("s3", "ListObjectsV2", members)
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        return self._pages.show(
            "bucket.html",
            bucket=bucket,
            prefix=prefix,
            trail=_trail(prefix),
            prefixes=[found["Prefix"] for found in answer.get("CommonPrefixes") or []],
            objects=answer.get("Contents") or [],
            next=answer.get("NextContinuationToken"),
        )

    async def object(self, request: Request) -> Response:
        named = {"Bucket": request.path_params["bucket"], "Key": request.query_params.get("key", "")}
        try:
            head = await self._ask("s3", "HeadObject", named)
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message or "Not Found")
        text = await self._look(named, head) if head.get("ContentLength") else ""
        tags = await ask_or(self._ask, "s3", "GetObjectTagging", named, {"TagSet": []})
        key = named["Key"]
        return self._pages.show(
            "object.html",
            bucket=named["Bucket"],
            key=key,
            head=head,
            text=text,
            trail=_trail(key),
            tags=tags["TagSet"],
            looked=LOOK_BYTES,
        )

    async def download(self, request: Request) -> Response:
        """The object as a file to keep: never shown by the browser as a page of this origin."""
        named = {"Bucket": request.path_params["bucket"], "Key": request.query_params.get("key", "")}
        try:
            answer = await self._ask("s3", "GetObject", named)
        except AwsError as error:
            return Response(error.message, error.status, HEADERS)
        name = named["Key"].rsplit("/", 1)[-1] or "object"
        headers = {
            **HEADERS,
            "content-security-policy": "sandbox",
            "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        }
        if (length := answer.get("ContentLength")) is not None:
            headers["content-length"] = str(length)
        return StreamingResponse(_chunks(answer["Body"]), 200, headers, "application/octet-stream")

    async def _look(self, named: Members, head: Members) -> str | None:
        """The first bytes as text; ``None`` when they are not text."""
        end = min(head["ContentLength"], LOOK_BYTES) - 1
        answer = await self._ask("s3", "GetObject", {**named, "Range": f"bytes=0-{end}"})
        first = await whole_body(answer["Body"])
        if b"\0" in first:
            return None
        try:
            return first.decode()
        except UnicodeDecodeError as error:  # a character cut at the end is still text
            return first[: error.start].decode() if error.start >= len(first) - 3 else None


async def whole_body(body: Any) -> bytes:
    """What ``GetObject`` answers, read to its end: for objects whose size is known to be small."""
    return b"".join([chunk async for chunk in _chunks(body)])


async def _chunks(body: Any) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
    elif isinstance(body, FileSlice):
        with await asyncio.to_thread(body.path.open, "rb") as file:
            file.seek(body.offset)
            left = body.length
            while left > 0 and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk
    else:
        async for chunk in body:
            yield chunk


def _trail(prefix: str) -> list[tuple[str, str]]:
    """``a/b/c`` as [("a/", "a/"), ("b/", "a/b/"), ("c", "a/b/c")]: what to show, where it leads."""
    parts = prefix.split("/")
    names = [part + "/" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
    return [(name, "".join(names[: n + 1])) for n, name in enumerate(names)]

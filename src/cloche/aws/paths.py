"""A service's URI templates as one quick look-up: method and path in, operation out.

Templates that look alike (all of ``/{Bucket}/{Key+}``) share one pattern; what tells their operations apart is a
list of *demands* each makes on the rest of the request. S3 needs most of this: the query keys in its templates
(``?uploads``), the query members and headers its input requires (``partNumber`` and ``uploadId`` make a PUT an
UploadPart, ``x-amz-copy-source`` makes it a copy). The operation that demands most and gets all of it wins, so
``ListObjects``, which demands nothing, is what remains.

Which patterns are tried at all is decided by the first literal segment of the path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloche.aws.http import Headers
from cloche.aws.protocols.form import decode
from cloche.aws.protocols.http_bindings import path_pattern

if TYPE_CHECKING:
    from botocore.model import ServiceModel


class _Variant:
    __slots__ = ("deprecated", "headers", "name", "query")

    def __init__(self, name: str, query: dict[str, str | None], headers: list[str], deprecated: bool) -> None:
        self.name = name
        self.query = query
        self.headers = headers
        self.deprecated = deprecated

    def fits(self, query: dict[str, str], headers: Headers) -> bool:
        for key, value in self.query.items():
            if key not in query or (value is not None and query[key] != value):
                return False
        return all(header in headers for header in self.headers)

    @property
    def order(self) -> tuple[int, bool, str]:
        return (-len(self.query) - len(self.headers), self.deprecated, self.name)


class _Group:
    def __init__(self, template: str) -> None:
        self.pattern = path_pattern(template)
        self.variants: list[_Variant] = []
        segments = template.split("/")[1:]
        labels = [segment.startswith("{") for segment in segments]
        self.order = ("+}" in template, sum(labels), -len(segments), labels)


class PathTable:
    """Built once per service. ``left_out`` names operations that are never found here."""

    def __init__(self, service: ServiceModel, left_out: set[str]) -> None:
        groups: dict[tuple[str, str], _Group] = {}
        for name in service.operation_names:
            if name in left_out:
                continue
            operation = service.operation_model(name)
            template, _, literals = operation.http.get("requestUri", "/").partition("?")
            shape_of = re.sub(r"\{[^}+]+(\+?)\}", r"{x\1}", template)
            key = (operation.http.get("method", "POST"), shape_of)
            group = groups.setdefault(key, _Group(template))
            query: dict[str, str | None] = {}
            for literal in filter(None, literals.split("&")):
                wanted, equals, value = literal.partition("=")
                if wanted != "x-id":  # a hint that only some clients send
                    query[wanted] = value if equals else None
            headers = []
            shape: Any = operation.input_shape
            for member_name in shape.required_members if shape is not None else ():
                member = shape.members[member_name]
                where, wire = member.serialization.get("location"), member.serialization.get("name", member_name)
                if where == "querystring" and member.type_name != "map":
                    query.setdefault(wire, None)
                elif where == "header" and service.service_name == "s3":
                    headers.append(wire.lower())
            group.variants.append(_Variant(name, query, headers, bool(operation.deprecated)))
        self._by_start: dict[tuple[str, str], list[_Group]] = {}
        for (method, template), group in groups.items():
            group.variants.sort(key=lambda variant: variant.order)
            start = template.split("/", 2)[1]
            self._by_start.setdefault((method, "" if "{" in start else start), []).append(group)
        for listed in self._by_start.values():
            listed.sort(key=lambda group: group.order)

    def find(self, method: str, path: str, query: str, headers: Headers) -> str | None:
        """The operation's name. A path that fits while the demands of no operation are met gives the one that
        demands least among equals, so that validation can say which member is missing."""
        start = path[1:].partition("/")[0]
        fallback: str | None = None
        for key in ((method, start), (method, "")) if start else ((method, ""),):
            for group in self._by_start.get(key, ()):
                if group.pattern.fullmatch(path) is None:
                    continue
                if len(group.variants) == 1 and not group.variants[0].query:
                    return group.variants[0].name
                given = _query_keys(query)
                for variant in group.variants:
                    if variant.fits(given, headers):
                        return variant.name
                if fallback is None:
                    fallback = _nearest(group.variants, given)
        return fallback


def _nearest(variants: list[_Variant], given: dict[str, str]) -> str | None:
    """Among operations whose template literals are there, the one that lacks least."""
    best = min(variants, key=lambda variant: (len(variant.query.keys() - given.keys()), variant.order))
    return best.name if all(value is None or given.get(key) == value for key, value in best.query.items()) else None


def _query_keys(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for piece in query.split("&", 1000)[:1000] if query else ():
        name, _, value = piece.partition("=")
        try:
            found.setdefault(decode(name), value)
        except ValueError:
            continue
    return found

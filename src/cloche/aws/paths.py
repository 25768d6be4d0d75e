"""A service's URI templates as one quick look-up: method and path in, operation out.

Templates that look alike (all of ``/{Bucket}/{Key+}``) share one pattern; what tells their operations apart is a
list of *demands* each makes on the rest of the request. S3 needs most of this: the query keys in its templates
(``?uploads``), the query members and headers its input requires (``partNumber`` and ``uploadId`` make a PUT an
UploadPart, ``x-amz-copy-source`` makes it a copy). Among operations whose literals are all there, the one with most
literals wins, then the one that lacks least of what it requires, then the one that requires most; so ``PutObject``,
which demands nothing, is what remains, and a request that merely forgot a parameter still finds the operation whose
validation says so.

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
    """An operation with what it demands: query literals of its template, and what its input requires."""

    __slots__ = ("deprecated", "headers", "literals", "name", "query")

    def __init__(
        self, name: str, literals: dict[str, str | None], query: list[str], headers: list[str], deprecated: bool
    ) -> None:
        self.name = name
        self.literals = literals
        self.query = query
        self.headers = headers
        self.deprecated = deprecated

    def meant(self, query: dict[str, str]) -> bool:
        return all(k in query and (v is None or query[k] == v) for k, v in self.literals.items())

    def lacks(self, query: dict[str, str], headers: Headers) -> int:
        return sum(key not in query for key in self.query) + sum(name not in headers for name in self.headers)

    @property
    def order(self) -> tuple[int, bool, str]:
        return (-len(self.literals) - len(self.query) - len(self.headers), self.deprecated, self.name)


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
            fixed: dict[str, str | None] = {}
            for literal in filter(None, literals.split("&")):
                wanted, equals, value = literal.partition("=")
                if wanted != "x-id":  # a hint that only some clients send
                    fixed[wanted] = value if equals else None
            query: list[str] = []
            headers: list[str] = []
            shape: Any = operation.input_shape
            for member_name in shape.required_members if shape is not None else ():
                member = shape.members[member_name]
                where, wire = member.serialization.get("location"), member.serialization.get("name", member_name)
                if where == "querystring" and member.type_name != "map":
                    query.append(wire)
                elif where == "header" and service.service_name == "s3":
                    headers.append(wire.lower())
            group.variants.append(_Variant(name, fixed, query, headers, bool(operation.deprecated)))
        self._by_start: dict[tuple[str, str], list[_Group]] = {}
        for (method, template), group in groups.items():
            group.variants.sort(key=lambda variant: variant.order)
            start = template.split("/", 2)[1]
            self._by_start.setdefault((method, "" if "{" in start else start), []).append(group)
        for listed in self._by_start.values():
            listed.sort(key=lambda group: group.order)

    def find(self, method: str, path: str, query: str, headers: Headers) -> str | None:
        """The operation's name, or ``None``."""
        start = path[1:].partition("/")[0]
        for key in ((method, start), (method, "")) if start else ((method, ""),):
            for group in self._by_start.get(key, ()):
                if group.pattern.fullmatch(path) is None:
                    continue
                only = group.variants[0]
                if len(group.variants) == 1 and not only.literals:
                    return only.name
                given = _query_keys(query)
                meant = [variant for variant in group.variants if variant.meant(given)]
                if meant:
                    return min(meant, key=lambda v: (-len(v.literals), v.lacks(given, headers))).name
        return None


def _query_keys(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for piece in query.split("&", 1000)[:1000] if query else ():
        name, _, value = piece.partition("=")
        try:
            found.setdefault(decode(name), value)
        except ValueError:
            continue
    return found

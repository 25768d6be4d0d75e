"""Where fields come from: an event, or a row that an earlier stage has made of events."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from cloche.engines.log_insights.language.syntax import Field
from cloche.engines.log_insights.scan.code import ANY, TIME, Code
from cloche.engines.log_insights.scan.reports import REPORT_FIELDS, report_fields

# docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
SYSTEM: Final[Mapping[str, tuple[str, str]]] = {
    "@timestamp": ("ts", TIME),
    "@ingestionTime": ("ingested", TIME),
    "@logStream": ("stream", ANY),
    "@log": ("log", ANY),
}


class Given(ABC):
    """Names that commands gave, and paths into them. Anything else is ``other``'s to find."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.given: dict[str, tuple[str, str]] = {}

    def give(self, name: str, held: tuple[str, str]) -> None:
        self.given[name] = held

    def resolve(self, field: Field) -> tuple[str, str]:
        found = self.given.get(field.name)
        if found is not None:
            return found
        for size in range(len(field.parts) - 1, 0, -1):
            structure = self.given.get(".".join(field.parts[:size]))
            if structure is not None:
                path = self.code.bind(field.parts[size:])
                return self.code.assign(f"inside({structure[0]}, {path})"), ANY
        found = self.given[field.name] = self.other(field)
        return found

    @abstractmethod
    def other(self, field: Field) -> tuple[str, str]: ...


class EventScope(Given):
    """Of an event there are ``m`` its bytes, ``ts``, ``ingested``, ``stream``, ``log``, ``source`` and ``ordinal``. The
    message is decoded and read as JSON once, when a field first asks for it."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.is_document_read = False
        self._report = ""
        code.names.update(loads=orjson.loads, pointer=pointer, report_fields=report_fields)

    def is_discovered(self, field: Field) -> bool:
        """Whether it is looked for in the message's JSON."""
        roots = (".".join(field.parts[:size]) for size in range(1, len(field.parts) + 1))
        return not field.name.startswith("@") and not any(root in self.given for root in roots)

    def other(self, field: Field) -> tuple[str, str]:
        if field.name in SYSTEM:
            return SYSTEM[field.name]
        if field.name == "@message":
            return self.code.assign("m.decode('utf-8', 'replace')"), ANY
        if field.name == "@ptr":
            return self.code.assign("pointer(source, ordinal)"), ANY
        if field.name in REPORT_FIELDS:
            if not self._report:
                self._report = self.code.assign("report_fields(m)")
            return self.code.assign(f"{self._report}.get({field.name!r})"), ANY
        self._read_document()
        name = self.code.bind(field.name)
        if len(field.parts) == 1:
            found = self.code.assign(f"document.get({name})")
            self.code.line(f"if {found}.__class__ in NESTED: {found} = None")
            return found, ANY
        return self.code.assign(f"discovered(document, {name}, {self.code.bind(field.parts)})"), ANY

    def _read_document(self) -> None:
        """Messages that are no object have no fields. (What begins with a brace and is JSON is one.)"""
        if not self.is_document_read:
            self.is_document_read = True
            empty = self.code.bind({})
            self.code.line("try:")
            self.code.line(f"    document = loads(m) if m[:1] == b'{{' else {empty}")
            self.code.line(f"except ValueError:\n    document = {empty}")


class RowScope(Given):
    """``row`` is a tuple of the columns. What is no column is missing."""

    def __init__(self, code: Code, columns: Sequence[tuple[str, str]]) -> None:
        super().__init__(code)
        self._places = {name: (at, kind) for at, (name, kind) in enumerate(columns)}

    def other(self, field: Field) -> tuple[str, str]:
        found = self._places.get(field.name)
        if found is not None:
            return self.code.assign(f"row[{found[0]}]"), found[1]
        for size in range(len(field.parts) - 1, 0, -1):
            structure = self._places.get(".".join(field.parts[:size]))
            if structure is not None:
                return self.code.assign(f"inside(row[{structure[0]}], {self.code.bind(field.parts[size:])})"), ANY
        return self.code.assign("None"), ANY


def pointer(source: int, ordinal: int) -> str:
    """``@ptr`` of an event: its stream's number and its own."""
    return base64.urlsafe_b64encode(f"{source}:{ordinal}".encode()).decode()

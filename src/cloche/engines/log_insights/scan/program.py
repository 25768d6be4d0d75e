"""A query as a program: one loop over the events, written for it, and what is done with what stays of them.

The loop's work ends at the first command that must see all events (``stats``, ``sort``, ``limit``, ``dedup``,
``pattern``, or the end); everything after it works on rows. A process has its own ``Program`` and its own sink.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from cloche.engines.log_insights.language import read_query
from cloche.engines.log_insights.language.syntax import (
    Command,
    Dedup,
    Field,
    Filter,
    Limit,
    Pattern,
    Sort,
    Stats,
    Unnest,
)
from cloche.engines.log_insights.scan import sinks
from cloche.engines.log_insights.scan.code import ANY, TIME, Code
from cloche.engines.log_insights.scan.planning import (
    Stage,
    columns_of,
    has_events,
    needed,
    stages_of,
)
from cloche.engines.log_insights.scan.scopes import EventScope, RowScope, pointer
from cloche.engines.log_insights.scan.streaming import Needle, conjuncts, needle_of, write_streaming
from cloche.engines.log_insights.scan.values import date_text, text
from cloche.engines.log_insights.scan.writing import HEAD, columns_after, make_sink, write_sink

LIMIT_DEFAULT: Final = 10_000
_EVENT: Final = struct.Struct("<qI")
_SCAN: Final = "raw, at, count, first, ingested, source, stream, log, low, high"

Scan = Callable[..., tuple[int, int, int]]
"""Over the events of a frame, from ``at`` in ``raw`` on: how many were in the range, their bytes, how many passed."""


class Program:
    """Raises ``QueryError``."""

    def __init__(self, query: str, limit: int | None, now_ms: int) -> None:
        commands = read_query(query)
        self._now_ms = now_ms
        self._limit = limit or (LIMIT_DEFAULT if not any(isinstance(command, Limit) for command in commands) else None)
        self._columns = columns_of(commands)
        self._has_events = has_events(commands)
        self._stages = stages_of(commands)
        fields = needed(self._stages, self._columns)
        first, rest = self._stages[0], self._stages[1:]
        self._heads = [*HEAD, *((field.name, ANY) for field in fields)]
        self.sink = make_sink(first.blocking, self._keep(first, rest))
        self.needles = list(_needles(first))
        self.scan = self._write_scan(first, fields)

    def results(self) -> list[list[tuple[str, str]]]:
        """Rows of (field, value); what is missing has no entry."""
        rows, columns = self.sink.rows(), self._kinds
        blocking: Command | None = self._stages[0].blocking
        if isinstance(blocking, Limit):
            del rows[blocking.count :]
        for stage in self._stages[1:]:
            rows, columns = self._stage(stage, rows, columns)
        if self._limit is not None:
            del rows[self._limit :]
        return self._shown(rows, columns)

    # -- the events ------------------------------------------------------------------------------------------

    def _keep(self, first: Stage, rest: Sequence[Stage]) -> int | None:
        """How many rows are enough: where nothing that follows may take some away or look at all of them."""
        counts = [] if self._limit is None else [self._limit]
        for stage in (first, *rest):
            if isinstance(stage.blocking, Limit):
                counts.append(stage.blocking.count)
                break
            is_first = stage is first
            if isinstance(stage.blocking, Stats | Pattern) or (not is_first and stage.blocking is not None):
                return None
            if not is_first and any(isinstance(each, Filter | Unnest) for each in stage.streaming):
                return None
        return min(counts, default=None)

    def _write_scan(self, first: Stage, fields: Sequence[Field]) -> Scan:
        loose, tight = (self._write_loop(first, fields, is_tight) for is_tight in (False, True))

        def scan(frame_within: bool, *arguments: Any) -> tuple[int, int, int]:
            return tight(*arguments) if frame_within else loose(*arguments)  # type: ignore[no-any-return]

        return scan

    def _write_loop(self, first: Stage, fields: Sequence[Field], is_within: bool) -> Any:
        """``is_within``: every event is in the range of time."""
        code = Code(self._now_ms)
        scope = EventScope(code)
        code.names.update(unpack=_EVENT.unpack_from, sink=self.sink)
        code.line("matched = seen = size = 0")
        for name in ("held", "floor", "worst"):
            if hasattr(self.sink, name):
                code.line(f"{name} = sink.{name}")
        code.line("for ordinal in range(first, first + count):")
        code.depth += 1
        code.line("ts, length = unpack(raw, at)\nat += 12\nend = at + length")
        if not is_within:
            code.line("if ts < low or ts > high:\n    at = end\n    continue\nseen += 1\nsize += length")
        code.line("m = raw[at:end]\nat = end")
        write_streaming(code, scope, first.streaming)
        code.line("matched += 1")
        self._kinds = write_sink(code, scope, first.blocking, fields, self.sink, "(ts, source, ordinal)")
        return code.function(_SCAN, "return seen, size, matched")

    # -- the rows --------------------------------------------------------------------------------------------

    def _stage(
        self, stage: Stage, rows: list[sinks.Row], columns: Sequence[tuple[str, str]]
    ) -> tuple[list[sinks.Row], list[tuple[str, str]]]:
        rest = self._stages[self._stages.index(stage) :]
        fields = needed(rest, self._columns)
        code = Code(self._now_ms)
        scope = RowScope(code, columns)
        has_head = bool(columns) and columns[0] == HEAD[0]
        at = "row[:3]" if has_head else "(ordinal,)"
        blocking = stage.blocking if isinstance(stage.blocking, Stats | Pattern) else None
        sink = make_sink(blocking, None)
        made: list[sinks.Row] = []
        code.names.update(sink=sink, made=made)
        if hasattr(sink, "held"):
            code.line("held = sink.held")
        code.line("for ordinal, row in enumerate(rows):")
        code.depth += 1
        write_streaming(code, scope, stage.streaming)
        if blocking is None:
            kinds = columns_after(code, scope, stage.blocking, fields, has_head)
        else:
            kinds = write_sink(code, scope, blocking, fields, sink, at)
        code.function("rows", "return None")(rows)
        found = sink.rows() if blocking is not None else made
        match stage.blocking:
            case Sort(keys):
                sinks.sort_by_keys(found, [falling for _, falling in keys])
                found = [row[len(keys) :] for row in found]
            case Dedup(keys):
                found = _first_of_each(found, len(keys))
            case Limit(count):
                del found[count:]
            case _:
                pass
        return found, kinds

    def _shown(self, rows: list[sinks.Row], columns: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
        places = {name: (at, kind) for at, (name, kind) in enumerate(columns)}
        shown: list[tuple[str, int, Callable[[Any], str | None]]] = []
        for column in self._columns:
            found = places.get(column.field.name)
            if found is not None:
                shown.append((column.label, found[0], date_text if found[1] == TIME else text))
        results: list[list[tuple[str, str]]] = []
        for row in rows:
            result = [(label, value) for label, at, render in shown if (value := render(row[at])) is not None]
            if self._has_events:
                result.append(("@ptr", pointer(row[1], row[2])))
            results.append(result)
        return results


def _first_of_each(rows: list[sinks.Row], width: int) -> list[sinks.Row]:
    seen: set[Any] = set()
    kept: list[sinks.Row] = []
    for row in rows:
        key = row[:width]
        if None in key:
            kept.append(row[width:])
        elif key not in seen:
            seen.add(key)
            kept.append(row[width:])
    return kept


def _needles(first: Stage) -> list[Needle]:
    """What the filters before any new name cannot do without."""
    found: list[Needle] = []
    for command in first.streaming:
        if not isinstance(command, Filter):
            break
        found += [needle for each in conjuncts(command.condition) if (needle := needle_of(each)) is not None]
    return found

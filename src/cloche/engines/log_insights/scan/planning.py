"""What a query needs and shows: which columns must be kept from one stage to the next, and which are the result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cloche.engines.log_insights.language.syntax import (
    Command,
    Dedup,
    Display,
    Field,
    Fields,
    Filter,
    Limit,
    Named,
    Parse,
    Pattern,
    Sort,
    Stats,
    Unnest,
    fields_in,
    is_column,
)

PATTERN_COLUMNS: Final = ("@pattern", "@sampleCount", "@ratio", "@severityLabel")
Streaming = Fields | Display | Filter | Parse | Unnest
Blocking = Stats | Sort | Limit | Dedup | Pattern


@dataclass(frozen=True, slots=True)
class Column:
    """Of the result: its heading, and the field in it."""

    label: str
    field: Field


@dataclass(frozen=True, slots=True)
class Stage:
    """Commands that take an event after the other, and the one that must see them all (if any)."""

    streaming: tuple[Streaming, ...]
    blocking: Blocking | None


def stages_of(commands: Sequence[Command]) -> list[Stage]:
    stages: list[Stage] = []
    streaming: list[Streaming] = []
    for command in commands:
        if isinstance(command, Stats | Sort | Limit | Dedup | Pattern):
            stages.append(Stage(tuple(streaming), command))
            streaming = []
            if isinstance(command, Stats) and (computed := computed_of(command)):
                streaming.append(Fields(computed))
        else:
            streaming.append(command)
    stages.append(Stage(tuple(streaming), None))
    return stages


def columns_of(commands: Sequence[Command]) -> list[Column]:
    """The last ``display`` tells; without one, what ``stats`` or ``pattern`` made, what ``fields`` named and what
    ``parse`` and ``unnest`` found; where nothing is named, time and message."""
    last = max((at for at, command in enumerate(commands) if isinstance(command, Stats | Pattern)), default=-1)
    rest = commands[last + 1 :]
    displays = [command for command in rest if isinstance(command, Display)]
    if displays:
        return _unique(_column(item) for item in displays[-1].items)
    columns: list[Column] = []
    match commands[last] if last >= 0 else None:
        case Stats(_, by, results):
            columns = [_column(item) for item in by] + [_given(each.name) for each in results]
        case Pattern():
            columns = [_given(name) for name in PATTERN_COLUMNS]
        case _ if not any(isinstance(command, Fields) for command in rest):
            columns = [_given("@timestamp"), _given("@message")]
        case _:
            pass
    for command in rest:
        match command:
            case Fields(items):
                columns += [_column(item) for item in items]
            case Parse(_, _, names):
                columns += [_given(name) for name in names]
            case Unnest(_, name):
                columns.append(_given(name))
            case _:
                pass
    return _unique(columns)


def has_events(commands: Sequence[Command]) -> bool:
    """Whether a row of the result is an event, and so has a ``@ptr``."""
    return not any(isinstance(command, Stats | Pattern) for command in commands)


def needed(stages: Sequence[Stage], columns: Sequence[Column]) -> list[Field]:
    """Fields that the stages ask for, up to the first that makes new ones; if none does, those of the result too."""
    found: dict[str, Field] = {}
    for stage in stages:
        for command in (*stage.streaming, stage.blocking):
            if command is None:
                continue
            found.update((field.name, field) for field in _fields_of(command))
            if isinstance(command, Stats | Pattern):
                return list(found.values())
    found.update((column.field.name, column.field) for column in columns)
    return list(found.values())


def computed_of(stats: Stats) -> tuple[Named, ...]:
    """The columns that are made of aggregates, once these are there."""
    return tuple(item for item in stats.results if not is_column(item))


def is_plain(item: Named) -> bool:
    """A field under its own name."""
    return isinstance(item.expression, Field) and not item.is_alias


def _column(item: Named) -> Column:
    if isinstance(item.expression, Field) and not item.is_alias:
        return Column(item.name, item.expression)
    return _given(item.name)


def _given(name: str) -> Column:
    return Column(name, Field(name, tuple(name.split("."))))


def _unique(columns: Iterable[Column]) -> list[Column]:
    return list({column.label: column for column in columns}.values())


def _fields_of(command: Command) -> Iterator[Field]:
    match command:
        case Fields(items) | Display(items):
            for item in items:
                yield from fields_in(item.expression)
        case Filter(subject) | Parse(subject, _, _) | Unnest(subject, _) | Pattern(subject):
            yield from fields_in(subject)
        case Sort(keys):
            for key, _ in keys:
                yield from fields_in(key)
        case Dedup(fields):
            for each in fields:
                yield from fields_in(each)
        case Stats(aggregates, by, _):
            for item in by:
                yield from fields_in(item.expression)
            for aggregate in aggregates:
                if aggregate.argument is not None:
                    yield from fields_in(aggregate.argument)
        case _:
            return

"""The end of a loop: what is kept of an event or a row that has come so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cloche.engines.log_insights.language.syntax import Dedup, Expression, Field, Pattern, Sort, Stats
from cloche.engines.log_insights.scan.aggregates import AGGREGATES, NAMES
from cloche.engines.log_insights.scan.code import ANY, TIME, TRUTH, Code, Translator
from cloche.engines.log_insights.scan.planning import PATTERN_COLUMNS, Blocking
from cloche.engines.log_insights.scan.scopes import Given
from cloche.engines.log_insights.scan.sinks import Groups, Newest, Patterns, Sink, Sorted, Unique

HEAD: Final = (("#time", ANY), ("#stream", ANY), ("#number", ANY))
"""The columns that every row of an event begins with."""


def make_sink(blocking: Blocking | None, keep: int | None) -> Sink:
    match blocking:
        case Stats(aggregates, by, _):
            return Groups(aggregates, [ANY] * len(by))
        case Pattern():
            return Patterns()
        case Sort(keys):
            return Sorted(keep, [falling for _, falling in keys])
        case Dedup():
            return Unique(keep)
        case _:
            return Newest(keep)


def write_sink(
    code: Code, scope: Given, blocking: Blocking | None, fields: Sequence[Field], sink: Sink, at: str
) -> list[tuple[str, str]]:
    """The columns of the rows that the sink will have, each with its kind."""
    translator = Translator(code, scope)
    match blocking:
        case Stats():
            assert isinstance(sink, Groups)
            return _write_groups(code, translator, blocking, sink, at)
        case Pattern(subject):
            found, _ = translator.value(subject)
            code.line(f"sink.templates.add(text({found}))")
            return [(name, ANY) for name in PATTERN_COLUMNS]
        case _:
            pass
    keys = ""
    match blocking:
        case Sort(parts):
            keys = _sort_keys(translator, [key for key, _ in parts])
            first = code.assign(keys.split(", ")[0])
            beyond = "<" if parts[0][1] else ">"
            code.line(f"if worst is not None and {first} {beyond} worst: continue")
        case Dedup(parts):
            keys = "".join(f"text({translator.value(key)[0]}), " for key in parts)
        case _:
            code.line("if ts < floor: continue")
    held, kinds = _columns(scope, fields)
    row = f"{at[1:-1]}, {''.join(f'{each}, ' for each in held)}"
    code.line(f"sink.add(({keys}), ({row}))" if isinstance(blocking, Dedup) else f"held.append(({keys}{row}))")
    return [*HEAD, *kinds]


def columns_after(
    code: Code, scope: Given, blocking: Blocking | None, fields: Sequence[Field], has_head: bool
) -> list[tuple[str, str]]:
    """Of a stage over rows that makes no new ones: its keys, if it has any, and then the columns."""
    translator = Translator(code, scope)
    held, kinds = _columns(scope, fields)
    keys = ""
    match blocking:
        case Sort(parts):
            keys = _sort_keys(translator, [key for key, _ in parts])
        case Dedup(parts):
            keys = "".join(f"text({translator.value(key)[0]}), " for key in parts)
        case _:
            pass
    head = "row[0], row[1], row[2], " if has_head else ""
    code.line(f"made.append(({keys}{head}{''.join(f'{each}, ' for each in held)}))")
    return [*(HEAD if has_head else ()), *kinds]


def _columns(scope: Given, fields: Sequence[Field]) -> tuple[list[str], list[tuple[str, str]]]:
    held: list[str] = []
    kinds: list[tuple[str, str]] = []
    for field in fields:
        if field.name != "@ptr":
            found, kind = scope.resolve(field)
            held.append(found)
            kinds.append((field.name, kind))
    return held, kinds


def _sort_keys(translator: Translator, keys: Sequence[Expression]) -> str:
    parts: list[str] = []
    for key in keys:
        found, kind = translator.value(key)
        if kind == TIME and found in ("ts", "ingested"):
            parts.append(found)
        else:
            held = translator.code.assign(found)
            parts.append(translator.code.assign(f"(2, {held}) if {held}.__class__ in NUMBERS else natural({held})"))
    return "".join(f"{part}, " for part in parts)


def _write_groups(code: Code, translator: Translator, stats: Stats, groups: Groups, at: str) -> list[tuple[str, str]]:
    code.names.update(NAMES)
    keys: list[tuple[str, str]] = []
    for item in stats.by:
        found, kind = translator.value(item.expression)
        held = code.assign(found)
        if kind not in (TIME, TRUTH):
            code.line(f"if {held}.__class__ in NESTED: {held} = text({held})")
        keys.append((held, kind))
        translator.scope.give(item.name, (held, kind))  # type: ignore[attr-defined]
    groups.kinds = [kind for _, kind in keys]
    key = keys[0][0] if len(keys) == 1 else f"({''.join(f'{held}, ' for held, _ in keys)})"
    start = ", ".join(AGGREGATES[each.function].start for each in stats.aggregates)
    code.line(f"key = {key}\ng = held.get(key)\nif g is None: g = held[key] = [{start}]")
    shared: dict[tuple[Expression, str], str] = {}
    for place, aggregate in enumerate(stats.aggregates):
        keeping = AGGREGATES[aggregate.function]
        if aggregate.argument is None:
            code.line(keeping.update.format(g="g", i=groups.place(place)))
            continue
        wanted = (aggregate.argument, keeping.needs)
        if wanted not in shared:
            shared[wanted] = _value_for(code, translator, *wanted)
        held = shared[wanted]
        code.line(f"if {held} is not None:")
        code.depth += 1
        code.line(keeping.update.format(g="g", i=groups.place(place), x=held, at=at))
        code.depth -= 1
    names = [(item.name, kind) for item, (_, kind) in zip(stats.by, keys, strict=True)]
    return [*names, *((each.name, ANY) for each in stats.aggregates)]


def _value_for(code: Code, translator: Translator, argument: Expression, needs: str) -> str:
    held = translator.held(argument)
    if needs == "number":
        return code.assign(f"{held} if {held}.__class__ in NUMBERS else number({held})")
    if needs == "text":
        return code.assign(f"{held} if {held}.__class__ is str else text({held})")
    return held

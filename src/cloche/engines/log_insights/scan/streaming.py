"""The commands that take one event after the other, as lines of a loop: ``continue`` is how an event falls out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloche.engines.log_insights.language.syntax import (
    Display,
    Expression,
    Field,
    Fields,
    Filter,
    Like,
    Literal,
    Operation,
    Parse,
    Unnest,
)
from cloche.engines.log_insights.scan.code import ANY, Code, Translator
from cloche.engines.log_insights.scan.planning import Streaming, is_plain
from cloche.engines.log_insights.scan.scopes import EventScope, Given
from cloche.engines.log_insights.scan.values import Value, number, text


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes that every event that passes has in it; ``or_escaped``: or else a backslash, for JSON may be escaped."""

    part: bytes
    or_escaped: bool

    def is_in(self, raw: bytes, start: int, end: int) -> bool:
        return raw.find(self.part, start, end) >= 0 or (self.or_escaped and raw.find(b"\\", start, end) >= 0)


def needle_of(condition: Expression) -> Needle | None:
    match condition:
        case Like(Field("@message"), str() as part, None, False):
            return Needle(part.encode("utf-8", "surrogatepass"), False) if part else None
        case Operation("=", (Field(name), Literal(str() as part))) if not name.startswith("@"):
            is_plain_text = part.isascii() and part.isprintable() and not set(part) & set('"\\/')
            is_text_only = number(part) is None and part not in ("", "true", "false")
            return Needle(part.encode(), True) if is_plain_text and is_text_only else None
        case _:
            return None


def write_streaming(code: Code, scope: Given, commands: Sequence[Streaming]) -> None:
    translator = Translator(code, scope)
    for command in commands:
        match command:
            case Filter(condition):
                for part in conjuncts(condition):
                    if not _write_screen(code, scope, part):
                        code.line(f"if not {translator.condition(part)}: continue")
            case Fields(items) | Display(items):
                for item in items:
                    if not is_plain(item):
                        found, kind = translator.value(item.expression)
                        scope.give(item.name, (code.assign(found), kind))
            case Parse():
                _write_parse(code, scope, translator, command)
            case Unnest(subject, name):
                found, _ = translator.value(subject)
                made = code.variable()
                code.line(f"for {made} in {code.bind(listed)}({found}):")
                code.depth += 1
                scope.give(name, (made, ANY))


def _write_screen(code: Code, scope: Given, condition: Expression) -> bool:
    """Let most events that will not pass go by their bytes. Answers whether that was all there is to ask."""
    needle = needle_of(condition)
    if needle is None or not isinstance(scope, EventScope):
        return False
    part = code.bind(needle.part)
    if needle.or_escaped:
        field = condition.operands[0] if isinstance(condition, Operation) else None
        if isinstance(field, Field) and not scope.is_document_read and scope.is_discovered(field):
            code.line(f"if {part} not in m and b'\\\\' not in m: continue")
        return False
    if "@message" in scope.given:
        return False
    code.line(f"if {part} not in m: continue")
    return True


def _write_parse(code: Code, scope: Given, translator: Translator, command: Parse) -> None:
    """Where the text is another, the fields are missing."""
    held = translator.held(command.subject)
    search = code.bind(command.pattern.search)
    found = code.assign(f"{search}({held}) if {held}.__class__ is str else {code.bind(searched)}({search}, {held})")
    groups = [command.pattern.groupindex.get(name, at) for at, name in enumerate(command.names, 1)]
    for name, group in zip(command.names, groups, strict=True):
        scope.give(name, (code.assign(f"{found}[{group}] if {found} is not None else None"), ANY))


def conjuncts(condition: Expression) -> Iterator[Expression]:
    """The conditions that must all hold."""
    if isinstance(condition, Operation) and condition.sign == "and":
        for operand in condition.operands:
            yield from conjuncts(operand)
    else:
        yield condition


def listed(value: Value) -> Sequence[Value]:
    """ "Any other types … are treated as a list with one item", CWL_QuerySyntax-Unnest.html."""
    return value if isinstance(value, list) else [value]


def searched(search: Value, value: Value) -> Value:
    held = text(value)
    return None if held is None else search(held)

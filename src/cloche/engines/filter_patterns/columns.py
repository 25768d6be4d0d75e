"""Patterns over messages cut by spaces: ``[ip, user, ..., status = 4* && status != 403, size > 1000]``.

What stands between brackets or double quotes in a message is one field. There are as many fields as the pattern has
names, unless an ellipsis stands for any number of them. Fields without a name, and those under the ellipsis, are told
by their number (``$2``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from cloche.engines.filter_patterns.comparison import NUMBER, REGEX_MAX, Field, Operand, comparison, invalid
from cloche.foundation.errors import Invalid

DEPTH_MAX: Final = 50
_FIELD: Final = re.compile(r'\s*(?:\[([^\]]*)\]|"([^"]*)"|(\S+))')
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<ellipsis>\.\.\.|…)|(?P<sign>&&|\|\||!=|=!|<=|>=|[=<>(),])|(?P<quoted>\"(?:[^\"\\]|\\.)*\")"
    r"|%(?P<regex>(?:[^%\\]|\\.)+)%|(?P<bare>[^\s\",&|()=<>!]+))"
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_\-.]*")

Test = Callable[[Field], bool]


class Columns:
    def __init__(self, before: list[tuple[str, Test]], after: list[tuple[str, Test]] | None) -> None:
        self._before, self._after = before, after

    def matches(self, message: str) -> bool:
        fields = cut(message)
        if not self._fits(len(fields)):
            return False
        return all(test(_typed(fields[at])) for at, (_, test) in self._placed(len(fields)))

    def extract(self, message: str) -> Mapping[str, str]:
        fields = cut(message)
        names = {at: name for at, (name, _) in self._placed(len(fields)) if name}
        return {f"${names.get(at, at + 1)}": text for at, text in enumerate(fields)}

    def _fits(self, count: int) -> bool:
        if self._after is None:
            return count == len(self._before)
        return count >= len(self._before) + len(self._after)

    def _placed(self, count: int) -> list[tuple[int, tuple[str, Test]]]:
        placed = list(enumerate(self._before))
        if self._after is not None:
            placed += [(count - len(self._after) + at, field) for at, field in enumerate(self._after)]
        return placed


def cut(message: str) -> list[str]:
    fields: list[str] = []
    for bracketed, quoted, plain in _FIELD.findall(message):
        fields.append(bracketed or quoted or plain)
    return fields


def read_columns(text: str) -> Columns:
    """Raises ``Invalid``."""
    if not text.endswith("]"):
        raise invalid()
    reader = _Reader(_tokens(text[1:-1]))
    before: list[tuple[str, Test]] = []
    after: list[tuple[str, Test]] | None = None
    while True:
        if reader.take_kind("ellipsis"):
            if after is not None:
                raise invalid()
            after = []
        else:
            (before if after is None else after).append(reader.field())
        if reader.at == len(reader.tokens):
            return Columns(before, after)
        if not reader.take(","):
            raise invalid()


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    text, at = text.rstrip(), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise invalid()
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    if sum(1 for kind, _ in found if kind == "regex") > REGEX_MAX:
        raise Invalid(f"A filter pattern may have at most {REGEX_MAX} regular expressions", field="filterPattern")
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def field(self) -> tuple[str, Test]:
        """The field's name (empty if it has none), and what is asked of it."""
        if self.at == len(self.tokens) or self.tokens[self.at] == ("sign", ","):
            return "", lambda field: True
        names: set[str] = set()
        test = self._either(names)
        if len(names) != 1:
            raise invalid()  # a condition is about the field it stands at
        return names.pop(), test

    def _either(self, names: set[str]) -> Test:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Invalid(
                f"A filter pattern may not be nested more than {DEPTH_MAX} levels deep", field="filterPattern"
            )
        tests = [self._both(names)]
        while self.take("||"):
            tests.append(self._both(names))
        self.depth -= 1
        return tests[0] if len(tests) == 1 else lambda field: any(test(field) for test in tests)

    def _both(self, names: set[str]) -> Test:
        tests = [self._primary(names)]
        while self.take("&&"):
            tests.append(self._primary(names))
        return tests[0] if len(tests) == 1 else lambda field: all(test(field) for test in tests)

    def _primary(self, names: set[str]) -> Test:
        if self.take("("):
            test = self._either(names)
            if not self.take(")"):
                raise invalid()
            return test
        kind, name = self._next()
        if kind != "bare" or not _NAME.fullmatch(name):
            raise invalid()
        names.add(name)
        for sign in ("=!", "!=", "<=", ">=", "=", "<", ">"):
            if self.take(sign):
                kind, value = self._next()
                if kind not in ("quoted", "regex", "bare"):
                    raise invalid()
                text = re.sub(r"\\(.)", r"\1", value[1:-1]) if kind == "quoted" else value
                return comparison("!=" if sign == "=!" else sign, Operand(text, kind))
        return lambda field: True

    def _next(self) -> tuple[str, str]:
        if self.at == len(self.tokens):
            raise invalid()
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, sign: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("sign", sign):
            self.at += 1
            return True
        return False

    def take_kind(self, kind: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at][0] == kind:
            self.at += 1
            return True
        return False


class _Number(float):
    """A field that is a number, with the text it was written as: ``4*`` asks for the text."""

    text: str

    def __new__(cls, text: str) -> _Number:
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text


def _typed(text: str) -> Field:
    return _Number(text) if NUMBER.fullmatch(text) else text

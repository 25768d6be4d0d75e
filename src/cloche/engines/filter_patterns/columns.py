"""Patterns over messages cut by spaces: ``[ip, user, ..., status = 4* && status != 403, size > 1000]``.

What stands between brackets or double quotes in a message is one field. There are as many fields as the pattern has
names, unless an ellipsis stands for any number of them. Fields without a name, and those under the ellipsis, are told
by their number (``$2``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cloche.engines.filter_patterns.comparison import NUMBER, Field, Operand, comparison, invalid, tokens_of
from cloche.foundation.errors import Invalid

DEPTH_MAX: Final = 50
_FIELD: Final = re.compile(r'\s*(?:\[([^\]]*)\]|"([^"]*)"|(\S+))')
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<ellipsis>\.\.\.|…)|(?P<sign>&&|\|\||!=|=!|<=|>=|[=<>(),])|(?P<quoted>\"(?:[^\"\\]|\\.)*\")"
    r"|%(?P<regex>(?:[^%\\]|\\.)+)%|(?P<bare>[^\s\",&|()=<>!]+))"
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_\-.]*")

Test = Callable[[Field], bool]
_Read = tuple[Test | None, tuple[str, ...]]
"""A test (``None``: anything will do), and words without which it cannot hold."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the pattern: its name (empty if it has none), what is asked of it, and words without which that cannot
    hold."""

    name: str = ""
    test: Test | None = None
    words: tuple[str, ...] = ()


class Columns:
    def __init__(self, before: list[Column], after: list[Column] | None) -> None:
        self._before, self._after = before, after
        self._count = len(before) + len(after or ())
        asked = [(at, column.test) for at, column in enumerate(before)]
        asked += [(at - len(after), column.test) for at, column in enumerate(after)] if after else []
        self._tests = [(at, test) for at, test in asked if test is not None]
        words = [word.encode() for column in (*before, *(after or ())) for word in column.words]
        self.needle = max(words, key=len, default=b"")
        self.screen: Callable[[bytes], bool] | None = None
        if words:
            self.screen = lambda raw: all(word in raw for word in words)

    def matches(self, message: str) -> bool:
        fields = cut(message)
        if len(fields) < self._count or (self._after is None and len(fields) > self._count):
            return False
        return all(test(_typed(fields[at])) for at, test in self._tests)

    def extract(self, message: str) -> Mapping[str, str]:
        fields = cut(message)
        names = {at: column.name for at, column in enumerate(self._before) if column.name}
        for at, column in enumerate(self._after or ()):
            if column.name:
                names[len(fields) - len(self._after or ()) + at] = column.name
        return {f"${names.get(at, at + 1)}": text for at, text in enumerate(fields)}


def cut(message: str) -> list[str]:
    if '"' not in message and "[" not in message:
        return message.split()
    return [bracketed or quoted or plain for bracketed, quoted, plain in _FIELD.findall(message)]


def read_columns(text: str) -> Columns:
    """Raises ``Invalid``."""
    if not text.endswith("]"):
        raise invalid()
    reader = _Reader(tokens_of(text[1:-1], _TOKEN))
    before: list[Column] = []
    after: list[Column] | None = None
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


def _words(sign: str, kind: str, text: str) -> tuple[str, ...]:
    """Fields are cut from the message as they stand there; only numbers may be written in another way."""
    if sign != "=" or kind == "regex" or (kind == "bare" and NUMBER.fullmatch(text)):
        return ()
    core = text[1 if text.startswith("*") else 0 : -1 if text.endswith("*") else None]
    return (core,) if core else ()


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def field(self) -> Column:
        if self.at == len(self.tokens) or self.tokens[self.at] == ("sign", ","):
            return Column()
        names: set[str] = set()
        test, words = self._either(names)
        if len(names) != 1:
            raise invalid()  # a condition is about the field it stands at
        return Column(names.pop(), test, words)

    def _either(self, names: set[str]) -> _Read:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Invalid(
                f"A filter pattern may not be nested more than {DEPTH_MAX} levels deep", field="filterPattern"
            )
        choices = [self._both(names)]
        while self.take("||"):
            choices.append(self._both(names))
        self.depth -= 1
        if len(choices) == 1:
            return choices[0]
        tests = [test for test, _ in choices]
        if None in tests:
            return None, ()
        return (lambda field: any(test(field) for test in tests if test is not None)), ()

    def _both(self, names: set[str]) -> _Read:
        parts = [self._primary(names)]
        while self.take("&&"):
            parts.append(self._primary(names))
        tests = [test for test, _ in parts if test is not None]
        words = tuple(word for _, needed in parts for word in needed)
        if len(tests) < 2:
            return (tests[0] if tests else None), words
        return (lambda field: all(test(field) for test in tests)), words

    def _primary(self, names: set[str]) -> _Read:
        if self.take("("):
            found = self._either(names)
            if not self.take(")"):
                raise invalid()
            return found
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
                test = comparison("!=" if sign == "=!" else sign, Operand(text, kind))
                return test, _words(sign, kind, text)
        return None, ()

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

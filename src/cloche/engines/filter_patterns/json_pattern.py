"""Patterns over JSON messages: ``{ $.user.ids[0] = 1 && ($.type != "x*" || $.error NOT EXISTS) }``.

``&&`` binds before ``||``. A selector must lead to a text, a number, true or false: where it leads to an array, an
object or nothing, neither ``=`` nor ``!=`` holds. ``*`` as a step of a selector means any element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from cloche.engines.filter_patterns.comparison import Operand, comparison, invalid, text_of, tokens_of
from cloche.foundation.errors import Invalid

DEPTH_MAX: Final = 50
_SELECTOR: Final = re.compile(r"\$(?:\.?\[(?:'[^']*'|\"[^\"]*\"|\d{1,9}|\*)\]|\.(?:\*|[^\s.\[\]=!<>&|(){}\"'*%,]+))+")
_STEP: Final = re.compile(r"\.?\[(?:'([^']*)'|\"([^\"]*)\"|(\d+)|(\*))\]|\.(?:(\*)|([^\s.\[\]=!<>&|(){}\"'*%,]+))")
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<sign>&&|\|\||!=|<=|>=|[=<>()])|(?P<quoted>\"(?:[^\"\\]|\\.)*\")|%(?P<regex>(?:[^%\\]|\\.)+)%"
    rf"|(?P<selector>{_SELECTOR.pattern})|(?P<bare>[^\s\"&|()=<>!]+))"
)
_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9_.: -]{2,}")

Test = Callable[[Any], bool]
Step = str | int | None
"""A name, an index, or ``None`` for any."""


class JsonPattern:
    def __init__(self, test: Test, selectors: dict[str, tuple[Step, ...]], words: list[str]) -> None:
        self._test, self._selectors = test, selectors
        self._words = [word.encode() for word in words]

    def matches(self, message: str) -> bool:
        document = _document(message)
        return document is not None and self._test(document)

    def screen(self, raw: bytes) -> bool:
        """A word that is asked for stands in the JSON as it is, unless characters are written by number."""
        return b"{" in raw and (all(word in raw for word in self._words) or b"\\u" in raw)

    def extract(self, message: str) -> Mapping[str, str]:
        document = _document(message)
        told: dict[str, str] = {}
        for text, steps in self._selectors.items():
            for value in _values(document, steps):
                if isinstance(value, str | int | float):
                    told.setdefault(text, text_of(value))
        return told


def read_json_pattern(text: str) -> JsonPattern:
    """Raises ``Invalid``."""
    if not text.endswith("}"):
        raise invalid()
    reader = _Reader(tokens_of(text[1:-1], _TOKEN))
    test, words = reader.either()
    if reader.at != len(reader.tokens):
        raise invalid()
    return JsonPattern(test, reader.selectors, words)


def _document(message: str) -> dict[str, Any] | None:
    try:
        found = orjson.loads(message)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


_Read = tuple[Test, list[str]]
"""A test, and words without which it cannot hold."""


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.selectors: dict[str, tuple[Step, ...]] = {}

    def either(self) -> _Read:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Invalid(
                f"A filter pattern may not be nested more than {DEPTH_MAX} levels deep", field="filterPattern"
            )
        choices = [self._both()]
        while self._take("||"):
            choices.append(self._both())
        self.depth -= 1
        if len(choices) == 1:
            return choices[0]
        tests = [test for test, _ in choices]
        return (lambda document: any(test(document) for test in tests)), []

    def _both(self) -> _Read:
        parts = [self._primary()]
        while self._take("&&"):
            parts.append(self._primary())
        tests = [test for test, _ in parts]
        words = [word for _, needed in parts for word in needed]
        return (tests[0] if len(tests) == 1 else lambda document: all(test(document) for test in tests)), words

    def _primary(self) -> _Read:
        if self._take("("):
            found = self.either()
            if not self._take(")"):
                raise invalid()
            return found
        kind, selector = self._next()
        if kind != "selector":
            raise invalid()
        steps = self.selectors[selector] = steps_of(selector)
        kind, sign = self._next()
        if kind == "bare":
            return self._words(sign, steps), []
        if kind != "sign" or sign not in ("=", "!=", "<", "<=", ">", ">="):
            raise invalid()
        kind, value = self._next()
        if kind not in ("quoted", "regex", "bare"):
            raise invalid()
        wanted = Operand(re.sub(r"\\(.)", r"\1", value[1:-1]) if kind == "quoted" else value, kind)
        holds = comparison(sign, wanted)
        words = [step for step in steps if isinstance(step, str)]
        if sign == "=" and kind == "quoted":
            words.append(wanted.text.strip("*"))
        return _asks(steps, holds), [word for word in words if _PLAIN_WORD.fullmatch(word)]

    def _words(self, first: str, steps: tuple[Step, ...]) -> Test:
        second = self._next()[1]
        test = _STATES.get((first, second))
        if test is None:
            raise invalid()
        if (first, second) == ("NOT", "EXISTS"):
            return lambda document: next(_values(document, steps), _MISSING) is _MISSING
        return lambda document: any(test(value) for value in _values(document, steps))

    def _next(self) -> tuple[str, str]:
        if self.at == len(self.tokens):
            raise invalid()
        self.at += 1
        return self.tokens[self.at - 1]

    def _take(self, sign: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("sign", sign):
            self.at += 1
            return True
        return False


_MISSING: Final = object()
_STATES: Final[Mapping[tuple[str, str], Test]] = {
    ("IS", "NULL"): lambda value: value is None,
    ("IS", "TRUE"): lambda value: value is True,
    ("IS", "FALSE"): lambda value: value is False,
    ("NOT", "EXISTS"): lambda value: False,
}


def steps_of(selector: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    for found in _STEP.finditer(selector):
        single, double, index, _, _, name = found.groups()
        if index is not None:
            steps.append(int(index))
        else:
            steps.append(next((text for text in (single, double, name) if text is not None), None))
    return tuple(steps)


def _values(document: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    """What the steps lead to; nothing where one is not there."""
    held = [document]
    for step in steps:
        if step is None:
            held = [item for value in held for item in _elements(value)]
        elif isinstance(step, int):
            held = [value[step] for value in held if isinstance(value, list) and step < len(value)]
        else:
            held = [value[step] for value in held if isinstance(value, dict) and step in value]
    return iter(held)


def _elements(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _asks(steps: tuple[Step, ...], holds: Callable[[Any], bool]) -> Test:
    def test(document: Any) -> bool:
        return any(isinstance(value, str | int | float) and holds(value) for value in _values(document, steps))

    return test

"""``SEARCH('{Namespace, Dimension} terms', …)``: reading a search, and whether a metric meets it.

As docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html has it: names are cut into
tokens at capitals, digits and signs. A term of one token matches a token in any case; a term of several matches the
same tokens in a row, with their case where it was written as one word. ``"Quoted"`` matches a whole name or value.
``Name=term`` looks at that property alone. AND (also unwritten) binds before OR; NOT before both.

A schema with dimension names finds metrics with exactly those; one with a namespace alone all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from cloche.engines.metric_math.syntax import MathError
from cloche.foundation.errors import NotSupported

LENGTH_MAX: Final = 1_024
DEPTH_MAX: Final = 30

_PIECES: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
_TOKEN: Final = re.compile(r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<sign>[()=])|(?P<bare>[^\s"()=]+))')
_SCHEMA: Final = re.compile(r'\s*\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\}\s*,?')
_SCHEMA_NAME: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",]*?))\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Found:
    """A metric as a search sees it."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    def texts(self) -> Iterable[str]:
        yield self.namespace
        yield self.name
        for key, value in self.dimensions:
            yield key
            yield value

    def texts_of(self, property_name: str) -> Iterable[str]:
        if property_name == "MetricName":
            yield self.name
        elif property_name == "Namespace":
            yield self.namespace
        else:
            yield from (value for key, value in self.dimensions if key == property_name)


Test = Callable[[Found], bool]
_Term = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Search:
    namespace: str | None
    dimensions: frozenset[str] | None
    test: Test

    def matches(self, namespace: str, name: str, dimensions: tuple[tuple[str, str], ...]) -> bool:
        if self.namespace is not None and namespace != self.namespace:
            return False
        if self.dimensions is not None and frozenset(key for key, _ in dimensions) != self.dimensions:
            return False
        return self.test(Found(namespace, name, dimensions))


def read_search(text: str) -> Search:
    """Raises ``MathError`` for what cannot be read, ``NotSupported`` for searches of other accounts."""
    if len(text) > LENGTH_MAX:
        raise MathError(f"A search may not be longer than {LENGTH_MAX} characters")
    namespace: str | None = None
    dimensions: frozenset[str] | None = None
    schema = _SCHEMA.match(text)
    if schema is not None:
        names = _schema_names(schema[1])
        namespace, dimensions = names[0], frozenset(names[1:]) or None
        text = text[schema.end() :]
    reader = _Reader(_tokens(text))
    if not reader.tokens:
        if schema is None:
            raise MathError("A search needs a metric schema, a search term, or both")
        return Search(namespace, dimensions, lambda found: True)
    test = reader.either()
    if reader.at != len(reader.tokens):
        raise MathError("Invalid syntax in the search")
    return Search(namespace, dimensions, test)


def pieces(text: str) -> list[str]:
    return _PIECES.findall(text)


def _schema_names(text: str) -> list[str]:
    names: list[str] = []
    at = 0
    while at < len(text):
        found = _SCHEMA_NAME.match(text, at)
        if found is None or found.end() == at:
            raise MathError("Invalid syntax in the metric schema of the search")
        names.append(_plain(found[1]) if found[1] is not None else found[2])
        at = found.end()
    if not names or not all(names):
        raise MathError("The metric schema of a search begins with a namespace")
    return names


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    text, at = text.rstrip(), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise MathError("Invalid syntax in the search")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def either(self, property_name: str | None = None) -> Test:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise MathError(f"A search may not be nested more than {DEPTH_MAX} levels deep")
        tests = [self._both(property_name)]
        while self._take("bare", "OR"):
            tests.append(self._both(property_name))
        self.depth -= 1
        return tests[0] if len(tests) == 1 else lambda found: any(test(found) for test in tests)

    def _both(self, property_name: str | None) -> Test:
        tests = [self._not(property_name)]
        while self.at < len(self.tokens) and self.tokens[self.at] not in (("bare", "OR"), ("sign", ")")):
            self._take("bare", "AND")
            tests.append(self._not(property_name))
        return tests[0] if len(tests) == 1 else lambda found: all(test(found) for test in tests)

    def _not(self, property_name: str | None) -> Test:
        negative = False
        while self._take("bare", "NOT"):
            negative = not negative
        test = self._primary(property_name)
        return (lambda found: not test(found)) if negative else test

    def _primary(self, property_name: str | None) -> Test:
        if self._take("sign", "("):
            test = self.either(property_name)
            if not self._take("sign", ")"):
                raise MathError("Invalid syntax in the search")
            return test
        if self.at == len(self.tokens) or self.tokens[self.at][0] == "sign":
            raise MathError("Invalid syntax in the search")
        kind, word = self.tokens[self.at]
        if (kind, word) in (("bare", "AND"), ("bare", "OR")):
            raise MathError("Invalid syntax in the search")
        self.at += 1
        if property_name is None and self._take("sign", "="):
            name = _plain(word[1:-1]) if kind == "quoted" else word
            if name == ":aws.AccountId":
                raise NotSupported("searches of other accounts (:aws.AccountId) are not supported in Cloche")
            return self._primary(name)
        term = _exactly(_plain(word[1:-1])) if kind == "quoted" else _partly(word)
        if property_name is None:
            return lambda found: any(map(term, found.texts()))
        return lambda found: any(map(term, found.texts_of(property_name)))

    def _take(self, kind: str, value: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == (kind, value):
            self.at += 1
            return True
        return False


def _exactly(wanted: str) -> _Term:
    return lambda text: text == wanted


def _partly(word: str) -> _Term:
    wanted = pieces(word)
    if not wanted:
        raise MathError(f"The search term {word} has no letter and no digit")
    if len(wanted) == 1:
        token = wanted[0].lower()

        def one(text: str) -> bool:
            tokens = [piece.lower() for piece in pieces(text)]
            return token in tokens or token == "".join(tokens)

        return one
    any_case = re.search(r"[\W_]", word) is not None
    row = [piece.lower() for piece in wanted] if any_case else wanted

    def several(text: str) -> bool:
        tokens = [piece.lower() for piece in pieces(text)] if any_case else pieces(text)
        return any(tokens[at : at + len(row)] == row for at in range(len(tokens) - len(row) + 1))

    return several

"""From the text of an expression to a tree, by recursive descent.

    or       and (("OR" | "||") and)*
    and      compared (("AND" | "&&") compared)*
    compared sum (("==" | "!=" | "<=" | ">=" | "<" | ">") sum)*
    sum      product (("+" | "-") product)*
    product  signed (("*" | "/") signed)*
    signed   "-" signed | power
    power    atom ("^" signed)?
    atom     number | "text" | name | name "(" or ("," or)* ")" | "[" or ("," or)* "]" | "(" or ")"

The operators are those of docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html. Depth is
bounded; length is bounded by the API (2,048 characters).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cloche.foundation.errors import Invalid

DEPTH_MAX: Final = 60
# "Error in expression 'expr_1': Invalid syntax", as CloudWatch is quoted in public deployment logs.
INVALID_SYNTAX: Final = "Invalid syntax"

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![A-Za-z_])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>()\[\],]))"
)


class MathError(Invalid):
    """An expression that cannot be read or computed; the message does not name it yet."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negative:
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


Node = Number | Text | Name | Array | Negative | Binary | Call

_WORDS: Final = {"AND": "&&", "OR": "||"}
_COMPARISONS: Final = ("==", "!=", "<=", ">=", "<", ">")


def read_expression(text: str) -> Node:
    """Raises ``MathError``."""
    reader = _Reader(_tokens(text))
    tree = reader.either()
    if reader.at != len(reader.tokens):
        raise MathError(INVALID_SYNTAX)
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    text, at = text.rstrip(), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise MathError(INVALID_SYNTAX)
        kind, value = match.lastgroup, match[match.lastgroup]
        if kind == "name" and value in _WORDS:
            kind, value = "sign", _WORDS[value]
        found.append((kind, value))
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def either(self) -> Node:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise MathError(f"An expression may not be nested more than {DEPTH_MAX} levels deep")
        tree = self._chain(0)
        self.depth -= 1
        return tree

    _LEVELS: Final = (("||",), ("&&",), _COMPARISONS, ("+", "-"), ("*", "/"))

    def _chain(self, level: int) -> Node:
        if level == len(self._LEVELS):
            return self._signed()
        tree = self._chain(level + 1)
        while (operator := self._sign(*self._LEVELS[level])) is not None:
            tree = Binary(operator, tree, self._chain(level + 1))
        return tree

    def _signed(self) -> Node:
        signs = 0
        while self._sign("-"):
            signs += 1
        tree = self._power()
        return Negative(tree) if signs % 2 else tree

    def _power(self) -> Node:
        base = self._atom()
        if not self._sign("^"):
            return base
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise MathError(f"An expression may not be nested more than {DEPTH_MAX} levels deep")
        tree = Binary("^", base, self._signed())
        self.depth -= 1
        return tree

    def _atom(self) -> Node:
        if self._sign("("):
            tree = self.either()
            self._need(")")
            return tree
        if self._sign("["):
            return Array(self._list("]"))
        if self.at == len(self.tokens):
            raise MathError(INVALID_SYNTAX)
        kind, value = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return Number(float(value))
        if kind == "text":
            return Text(value[1:-1])
        if kind == "name":
            return Call(value, self._list(")")) if self._sign("(") else Name(value)
        raise MathError(INVALID_SYNTAX)

    def _list(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._sign(closing):
            return ()
        while True:
            items.append(self.either())
            if self._sign(closing):
                return tuple(items)
            self._need(",")

    def _sign(self, *wanted: str) -> str | None:
        if self.at < len(self.tokens):
            kind, value = self.tokens[self.at]
            if kind == "sign" and value in wanted:
                self.at += 1
                return value
        return None

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            raise MathError(INVALID_SYNTAX)

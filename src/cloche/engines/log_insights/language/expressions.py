"""Reads expressions: the weakest operator first, each level a function."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from cloche.engines.log_insights.language.catalog import AGGREGATES, FUNCTIONS
from cloche.engines.log_insights.language.regular import compiled
from cloche.engines.log_insights.language.syntax import Among, Call, Expression, Field, Like, Literal, Operation, Period
from cloche.engines.log_insights.language.tokens import QueryError, Token, Tokens, segments, unquoted

DEPTH_MAX: Final = 40
"""Of parentheses, calls and signs inside each other: as deep as what is made of them may be."""
RESERVED: Final = frozenset({"and", "or", "not", "in", "like", "as", "by", "asc", "desc"})
_COMPARISONS: Final = ("=", "!=", "<", "<=", ">", ">=")
_SECOND: Final = 1000
_UNITS: Final = {
    "ms": (1, 0), "msec": (1, 0), "millisecond": (1, 0),
    "s": (_SECOND, 0), "sec": (_SECOND, 0), "second": (_SECOND, 0),
    "m": (60 * _SECOND, 0), "min": (60 * _SECOND, 0), "minute": (60 * _SECOND, 0),
    "h": (3600 * _SECOND, 0), "hr": (3600 * _SECOND, 0), "hour": (3600 * _SECOND, 0),
    "d": (86400 * _SECOND, 0), "day": (86400 * _SECOND, 0),
    "w": (7 * 86400 * _SECOND, 0), "week": (7 * 86400 * _SECOND, 0),
    "mo": (0, 1), "mon": (0, 1), "month": (0, 1),
    "q": (0, 3), "qtr": (0, 3), "quarter": (0, 3),
    "y": (0, 12), "yr": (0, 12), "year": (0, 12),
}  # fmt: skip
"""Milliseconds or months. CWL_QuerySyntax-Stats.html lists them; those of more than one letter have a plural."""


_PERIOD_AT: Final = {"bin": 0, "datefloor": 1, "dateceil": 1}
"""Which argument is a length of time."""


class Expressions:
    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.aggregate: Callable[[Token], Expression] | None = None
        """Reads one from behind its parenthesis on, where one may stand."""
        self._depth = 0

    def read(self) -> Expression:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._error(f"expressions may be nested {DEPTH_MAX} deep at most", self.tokens.next)
        found = self._alternatives()
        self._depth -= 1
        return found

    def field(self) -> Field:
        token = self.tokens.next
        if token.kind != "field" or token.word in RESERVED:
            raise self.tokens.unexpected()
        self.tokens.take()
        return field_named(token.text)

    def name(self) -> str:
        return self.field().name

    def pattern(self, text: str, token: Token) -> re.Pattern[str]:
        """Raises ``QueryError`` for what is none."""
        try:
            return compiled(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise self._error(f"Invalid regular expression: {error}", token) from None

    # -- from the weakest operator to the strongest ----------------------------------------------------------

    def _alternatives(self) -> Expression:
        operands = [self._conjunction()]
        while self.tokens.take_word("or"):
            operands.append(self._conjunction())
        return operands[0] if len(operands) == 1 else Operation("or", tuple(operands))

    def _conjunction(self) -> Expression:
        operands = [self._negation()]
        while self.tokens.take_word("and"):
            operands.append(self._negation())
        return operands[0] if len(operands) == 1 else Operation("and", tuple(operands))

    def _negation(self) -> Expression:
        turns = 0
        while self.tokens.take_word("not"):
            turns += 1
        found = self._comparison()
        return Operation("not", (found,)) if turns % 2 else found

    def _comparison(self) -> Expression:
        left = self._sum()
        while True:
            negated = False
            if self.tokens.next.word == "not":
                self.tokens.take()
                negated = True
                if self.tokens.next.word not in ("like", "in"):
                    raise self.tokens.unexpected()
            if sign := self.tokens.take_sign(*_COMPARISONS):
                left = Operation(sign, (left, self._sum()))
            elif self.tokens.take_word("like") or self.tokens.take_sign("=~"):
                left = self._like(left, negated)
            elif self.tokens.take_word("in"):
                left = self._among(left, negated)
            else:
                return left

    def _like(self, subject: Expression, negated: bool) -> Expression:
        token = self.tokens.next
        if (text := self.tokens.take_regex()) is not None:
            pattern = self.pattern(text, token)
            plain = text if text and re.escape(text) == text else None
            return Like(subject, plain, None if plain else pattern, negated)
        if token.kind == "string":
            self.tokens.take()
            return Like(subject, unquoted(token.text), None, negated)
        raise self.tokens.unexpected()

    def _among(self, subject: Expression, negated: bool) -> Expression:
        self.tokens.need_sign("[")
        values = [self.read()]
        while self.tokens.take_sign(","):
            values.append(self.read())
        self.tokens.need_sign("]")
        return Among(subject, tuple(values), negated)

    def _sum(self) -> Expression:
        found = self._product()
        while sign := self.tokens.take_sign("+", "-"):
            found = self._chained(sign, found, self._product())
        return found

    def _product(self) -> Expression:
        found = self._signed()
        while sign := self.tokens.take_sign("*", "/", "%"):
            found = self._chained(sign, found, self._signed())
        return found

    def _signed(self) -> Expression:
        """``-2 ^ 2`` is -4, and ``2 ^ -2`` a quarter."""
        return self._with_sign(self._power)

    def _power(self) -> Expression:
        found = self._atom()
        while self.tokens.take_sign("^"):
            found = self._chained("^", found, self._with_sign(self._atom))
        return found

    def _with_sign(self, read: Callable[[], Expression]) -> Expression:
        turns = 0
        while self.tokens.take_sign("-"):
            turns += 1
        found = read()
        if turns % 2 == 0:
            return found
        if isinstance(found, Literal) and not isinstance(found.value, str):
            return Literal(-found.value)
        return Operation("-", (found,))

    def _chained(self, sign: str, left: Expression, right: Expression) -> Expression:
        if _height(left) > DEPTH_MAX:
            raise self._error(f"expressions may be nested {DEPTH_MAX} deep at most", self.tokens.next)
        return Operation(sign, (left, right))

    def _atom(self) -> Expression:
        token = self.tokens.next
        if token.kind == "number":
            self.tokens.take()
            return Literal(_number(token.text))
        if token.kind == "string":
            self.tokens.take()
            return Literal(unquoted(token.text))
        if token.kind == "period":
            return self.period()
        if self.tokens.take_sign("("):
            found = self.read()
            self.tokens.need_sign(")")
            return found
        if token.kind == "field" and token.word not in RESERVED:
            self.tokens.take()
            if self.tokens.take_sign("("):
                return self._call(token)
            return field_named(token.text)
        raise self.tokens.unexpected()

    def period(self) -> Period:
        """``5m``, or ``5 m``."""
        token = self.tokens.take()
        if token.kind == "number":
            unit = self.tokens.take()
            count, name = token.text, unit.text
        else:
            count = token.text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
            name = token.text[len(count) :]
        name = name.lower()
        unit_of = _UNITS.get(name) or (_UNITS.get(name.removesuffix("s")) if len(name) > 2 else None)
        if unit_of is None or not count.isdigit() or not 0 < int(count) < 1_000_000:
            raise self.tokens.unexpected(token)
        return Period(unit_of[0] * int(count), unit_of[1] * int(count))

    def _call(self, token: Token) -> Expression:
        name = token.word
        if name in AGGREGATES and self.aggregate is not None:
            return self.aggregate(token)
        if name in AGGREGATES and name not in FUNCTIONS:
            raise self._error(f"{token.text} can only be used in the command stats", token)
        if name not in FUNCTIONS:
            raise self._error(f"Unknown function {token.text}", token)
        arguments: list[Expression] = []
        if self.tokens.take_sign(")") is None:
            while True:
                arguments.append(self._argument(name, len(arguments)))
                if self.tokens.take_sign(")"):
                    break
                self.tokens.need_sign(",")
        least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            raise self._error(f"Invalid number of arguments for the function {token.text}", token)
        if name in _PERIOD_AT and not isinstance(arguments[-1], Period):
            raise self._error(f"{token.text} needs a period of time", token)
        if name == "regex_replace" and not isinstance(arguments[1], Literal):
            raise self._error(f"{token.text} needs an expression that is written out", token)
        return Call(name, tuple(arguments))

    def _argument(self, name: str, place: int) -> Expression:
        if name == "regex_replace" and place == 1:
            token = self.tokens.next
            text = self.tokens.take_regex()
            if text is None and token.kind == "string":
                text = unquoted(self.tokens.take().text)
            if text is None:
                raise self.tokens.unexpected()
            self.pattern(text, token)
            return Literal(text)
        if self.tokens.next.kind == "number" and place == _PERIOD_AT.get(name):
            return self.period()
        return self.read()

    def _error(self, message: str, token: Token) -> QueryError:
        return QueryError(message, token.start, token.end)


def field_named(text: str) -> Field:
    parts = segments(text)
    return Field(".".join(parts), parts)


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)


def _height(expression: Expression) -> int:
    height = 0
    while isinstance(expression, Operation):
        height += 1
        expression = expression.operands[0]
    return height

"""Reads a query: commands between bars."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cloche.engines.log_insights.language.catalog import AGGREGATES
from cloche.engines.log_insights.language.expressions import RESERVED, Expressions
from cloche.engines.log_insights.language.syntax import (
    Aggregate,
    Command,
    Dedup,
    Display,
    Expression,
    Field,
    Fields,
    Filter,
    Limit,
    Literal,
    Named,
    Parse,
    Pattern,
    Sort,
    Stats,
    Unnest,
    fields_in,
    is_column,
)
from cloche.engines.log_insights.language.tokens import QueryError, Token, Tokens, unquoted

LIMIT_MAX: Final = 100_000  # "The maximum limit is 100,000": botocore's documentation of StartQuery
# "You can use as many as two stats commands in a query", CWL_QuerySyntax-Stats.html
STATS_MAX: Final = 2
HIDDEN: Final = "`"
"""What no name in a query begins with."""
NOT_SUPPORTED: Final = frozenset(
    {"addtotals", "anomaly", "diff", "eval", "expand", "filterindex", "join", "lookup", "relevantfields", "source"}
)


def read_query(text: str) -> tuple[Command, ...]:
    """Raises ``QueryError``."""
    return _Reader(Tokens(text)).query()


class _Reader:
    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.expressions = Expressions(tokens)
        self._given: set[str] = set()
        self._made: list[str] = []
        """Columns of ``stats`` that are named by their texts, the longest first."""
        self._commands: dict[str, Callable[[], Command]] = {
            "fields": self._fields,
            "display": self._display,
            "filter": self._filter,
            "where": self._filter,
            "stats": self._stats,
            "sort": self._sort,
            "limit": self._limit,
            "parse": self._parse,
            "dedup": self._dedup,
            "pattern": self._pattern,
            "unnest": self._unnest,
        }

    def query(self) -> tuple[Command, ...]:
        commands: list[Command] = []
        while True:
            token = self.tokens.next
            found = self._command(token)
            self._check_place(found, commands, token)
            commands.append(found)
            if self.tokens.next.kind == "end":
                return tuple(commands)
            self.tokens.need_sign("|")

    def _command(self, token: Token) -> Command:
        if token.word in NOT_SUPPORTED:
            raise QueryError(f"The command {token.text} is not supported in Cloche", token.start, token.end)
        read = self._commands.get(token.word)
        if read is None:
            raise self.tokens.unexpected()
        self.tokens.take()
        return read()

    def _check_place(self, found: Command, before: list[Command], token: Token) -> None:
        # "The only query command that you can use in a query after the dedup command is limit", CWL_QuerySyntax-Dedup
        if any(isinstance(command, Dedup) for command in before) and not isinstance(found, Limit):
            raise self.tokens.unexpected(token)
        if isinstance(found, Stats):
            if sum(isinstance(command, Stats) for command in before) >= STATS_MAX:
                raise QueryError(f"A query can have {STATS_MAX} stats commands at most", token.start, token.end)
            self._given = {item.name for item in (*found.by, *found.results)}
            self._made = sorted((name for name in self._given if "(" in name), key=len, reverse=True)

    # -- commands --------------------------------------------------------------------------------------------

    def _fields(self) -> Command:
        return Fields(self._listed())

    def _display(self) -> Command:
        return Display(self._listed())

    def _filter(self) -> Command:
        return Filter(self.expressions.read())

    def _listed(self) -> tuple[Named, ...]:
        items = [self._named()]
        while self.tokens.take_sign(","):
            items.append(self._named())
        return tuple(items)

    def _named(self) -> Named:
        expression, written = self._expression()
        if self.tokens.take_word("as"):
            return Named(expression, self._new_name(), True)
        return Named(expression, written, False)

    def _expression(self) -> tuple[Expression, str]:
        """With its text. What ``stats`` has made under that very text, as ``bin(5m)``, is a field now."""
        start = self.tokens.next.start
        for name in self._made:
            if self.tokens.take_text(name):
                return Field(name, (name,)), name
        expression = self.expressions.read()
        return expression, self._written(start)

    def _written(self, start: int) -> str:
        text = self.tokens.text[start : self.tokens.taken]
        return " ".join(text.replace("`", "").split())

    def _new_name(self) -> str:
        """AWS allows no second field of a name (Cloche's words; quoted reports tell the rule, not its message)."""
        token = self.tokens.next
        name = self.expressions.name()
        if name in self._given:
            raise QueryError(f"The field {name} is defined already", token.start, token.end)
        self._given.add(name)
        return name

    def _stats(self) -> Command:
        aggregates: list[Aggregate] = []
        self.expressions.aggregate = lambda token: self._aggregate(token, aggregates)
        starts, results = [self.tokens.next], [self._result(aggregates)]
        while self.tokens.take_sign(","):
            starts.append(self.tokens.next)
            results.append(self._result(aggregates))
        self.expressions.aggregate = None
        by = self._listed() if self.tokens.take_word("by") else ()
        known = {item.name for item in by} | {each.name for each in aggregates}
        known -= {each.name for each in results if not is_column(each)}
        for start, result in zip(starts, results, strict=True):
            if any(field.name not in known for field in fields_in(result.expression)):
                raise self.tokens.unexpected(start)
            known.add(result.name)
        return Stats(tuple(aggregates), by, tuple(results))

    def _result(self, aggregates: list[Aggregate]) -> Named:
        """A column of ``stats``: an aggregate, or what is computed of aggregates and of columns before it. (So the
        console's own sample: ``max(@memorySize / 1000 / 1000) as provisionedMemoryMB, ... provisionedMemoryMB -
        maxMemoryUsedMB as overProvisionedMB``; others divide one sum by another.)"""
        start = self.tokens.next.start
        expression = self.expressions.read()
        name = self._written(start)
        is_alias = self.tokens.take_word("as") is not None
        if is_alias:
            name = self._new_name()
        if isinstance(expression, Field) and aggregates and expression.name == aggregates[-1].name:
            aggregates[-1] = replace(aggregates[-1], name=name)
            expression = Field(name, (name,))
        return Named(expression, name, is_alias)

    def _aggregate(self, token: Token, aggregates: list[Aggregate]) -> Expression:
        """Behind its parenthesis. It has a name that nobody can write, until its column gives it another."""
        function = token.word
        arguments: list[Expression] = []
        outer, self.expressions.aggregate = self.expressions.aggregate, None
        if not (function == "count" and self.tokens.take_sign("*")) and self.tokens.next.text != ")":
            arguments.append(self.expressions.read())
            while self.tokens.take_sign(","):
                arguments.append(self.expressions.read())
        self.expressions.aggregate = outer
        self.tokens.need_sign(")")
        least, most = AGGREGATES[function]
        if not least <= len(arguments) <= most:
            raise QueryError(f"Invalid number of arguments for the function {token.text}", token.start, token.end)
        parameter = 50.0
        if function == "pct":
            given = arguments[1]
            if not isinstance(given, Literal) or isinstance(given.value, str) or not 0 <= given.value <= 100:
                raise QueryError(f"{token.text} needs a percentage from 0 to 100", token.start, token.end)
            parameter = float(given.value)
        name = f"{HIDDEN}{len(aggregates)}"
        aggregates.append(Aggregate(function, arguments[0] if arguments else None, name, parameter))
        return Field(name, (name,))

    def _sort(self) -> Command:
        self.tokens.take_word("by")  # the console's sample for Lambda: "sort by @billedDuration desc"
        keys: list[tuple[Expression, bool]] = []
        while True:
            expression, _ = self._expression()
            # "ascending" is what sort does unless told (CWL_QuerySyntax-Sort.html: "By default … ascending")
            keys.append((expression, self.tokens.take_word("asc", "desc") == "desc"))
            if not self.tokens.take_sign(","):
                return Sort(tuple(keys))

    def _limit(self) -> Command:
        self.tokens.take_word("any")  # any so many do: those that a plain limit keeps as well
        token = self.tokens.take()
        if token.kind != "number" or not token.text.isdigit():
            raise self.tokens.unexpected(token)
        if not 1 <= int(token.text) <= LIMIT_MAX:
            raise QueryError(f"limit must be from 1 to {LIMIT_MAX}", token.start, token.end)
        return Limit(int(token.text))

    def _parse(self) -> Command:
        start = self.tokens.next
        subject = self.expressions.field()
        token = self.tokens.next
        if (text := self.tokens.take_regex()) is not None:
            pattern = self.expressions.pattern(text, token)
            names = tuple(name for name, _ in sorted(pattern.groupindex.items(), key=lambda pair: pair[1]))
            if self.tokens.take_word("as"):
                return self._renamed(subject, pattern, token)
            if not names:
                raise QueryError("parse needs an expression with named groups", token.start, self.tokens.taken)
            self._keep_names(names, token)
            return Parse(subject, pattern, names)
        if token.kind != "string":
            raise self.tokens.unexpected(start if start.word in RESERVED else None)
        self.tokens.take()
        return self._glob(subject, unquoted(token.text), token)

    def _renamed(self, subject: Expression, pattern: re.Pattern[str], token: Token) -> Command:
        """Groups without names are named after ``as``."""
        names = self._names()
        if len(names) != pattern.groups or pattern.groupindex:
            raise QueryError("parse needs a name for each group", token.start, self.tokens.taken)
        return Parse(subject, pattern, names)

    def _glob(self, subject: Expression, glob: str, token: Token) -> Command:
        """Each ``*`` is a field: as little as will do, the last one as much (CWL_QuerySyntax-Parse.html)."""
        pieces = glob.split("*")
        if self.tokens.take_word("as") is None:
            raise self.tokens.unexpected()
        names = self._names()
        if len(names) != len(pieces) - 1:
            raise QueryError("parse needs a name for each * of its expression", token.start, token.end)
        ends_open = pieces[-1] == ""
        groups = ["(.*?)"] * len(names)
        if ends_open and groups:
            groups[-1] = "(.*)"
        text = re.escape(pieces[0]) + "".join(
            group + re.escape(piece) for group, piece in zip(groups, pieces[1:], strict=True)
        )
        return Parse(subject, re.compile(text, re.DOTALL), names)

    def _names(self) -> tuple[str, ...]:
        names = [self._new_name()]
        while self.tokens.take_sign(","):
            names.append(self._new_name())
        return tuple(names)

    def _keep_names(self, names: tuple[str, ...], token: Token) -> None:
        for name in names:
            if name in self._given:
                raise QueryError(f"The field {name} is defined already", token.start, self.tokens.taken)
            self._given.add(name)

    def _dedup(self) -> Command:
        fields = [self.expressions.field()]
        while self.tokens.take_sign(","):
            fields.append(self.expressions.field())
        return Dedup(tuple(fields))

    def _pattern(self) -> Command:
        return Pattern(self.expressions.read())

    def _unnest(self) -> Command:
        subject = self.expressions.field()
        if self.tokens.take_word("into") is None:
            raise self.tokens.unexpected()
        return Unnest(subject, self._new_name())

"""A policy document, compiled once for many decisions.

Statements keep their order. For each action that is asked about, the statements whose ``Action`` or
``NotAction`` covers it are found once and remembered: what remains for a decision are resources and conditions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from cloche.engines.identity.policy.conditions import Clause, Context, compile_condition
from cloche.engines.identity.policy.patterns import Matcher, Token, Wild, matcher, resolve, tokens, variables_of

REMEMBERED_ACTIONS_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Resources:
    """The patterns of ``Resource`` or ``NotResource``; those with variables are completed per request."""

    fixed: tuple[Matcher, ...]
    variable: tuple[tuple[Token, ...], ...]
    everything: bool
    negated: bool

    def cover(self, resource: str, context: Context) -> bool:
        """A variable without a value covers nothing, and makes a ``NotResource`` cover nothing either."""
        if self.everything:
            return not self.negated
        for each in self.fixed:
            if each(resource):
                return not self.negated
        unknown = False
        for parts in self.variable:
            whole = resolve(parts, lambda key: _single(context, key))
            if whole is None:
                unknown = True
            elif matcher(whole, arn=True)(resource):
                return not self.negated
        return self.negated and not unknown


@dataclass(frozen=True, slots=True)
class Principals:
    """``Principal`` or ``NotPrincipal``: the ids listed under each kind (``AWS``, ``Service``, …)."""

    ids: Mapping[str, tuple[str, ...]]
    negated: bool


@dataclass(frozen=True, slots=True)
class Statement:
    sid: str
    allows: bool
    actions: tuple[Matcher, ...]
    actions_negated: bool
    resources: Resources | None
    """``None`` in a trust policy, which is about its role alone."""
    principals: Principals | None
    conditions: tuple[Clause, ...]
    keys: frozenset[str]
    """Every condition key that the statement asks for, in conditions and in variables."""

    def covers_action(self, action: str) -> bool:
        """``action`` is in lower case."""
        return any(each(action) for each in self.actions) != self.actions_negated


@dataclass(frozen=True, slots=True)
class Document:
    statements: tuple[Statement, ...]
    _by_action: dict[str, tuple[Statement, ...]] = field(default_factory=dict, compare=False, repr=False)

    def covering(self, action: str) -> tuple[Statement, ...]:
        """The statements about ``action`` (in lower case), in order."""
        found = self._by_action.get(action)
        if found is None:
            found = tuple(each for each in self.statements if each.covers_action(action))
            if len(self._by_action) >= REMEMBERED_ACTIONS_MAX:
                self._by_action.clear()
            self._by_action[action] = found
        return found

    @property
    def keys(self) -> frozenset[str]:
        return frozenset().union(*(each.keys for each in self.statements))


@lru_cache(maxsize=1024)
def compile_document(text: str) -> Document:
    """Compile a policy document that ``validate`` has accepted."""
    parsed = json.loads(text)
    variables = parsed.get("Version") == "2012-10-17"
    listed = parsed["Statement"]
    return Document(tuple(_statement(each, variables) for each in as_list(listed)))


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _statement(source: Mapping[str, Any], variables: bool) -> Statement:
    negated = "NotAction" in source
    actions = as_list(source["NotAction" if negated else "Action"])
    conditions = compile_condition(source.get("Condition") or {}, variables=variables)
    resources, keys = _resources(source, variables)
    return Statement(
        sid=source.get("Sid", ""),
        allows=source["Effect"] == "Allow",
        actions=tuple(matcher(tokens(each.lower(), variables=False)) for each in actions),
        actions_negated=negated,
        resources=resources,
        principals=_principals(source),
        conditions=conditions,
        keys=keys.union(*(clause.keys for clause in conditions)),
    )


def _resources(source: Mapping[str, Any], variables: bool) -> tuple[Resources | None, frozenset[str]]:
    negated = "NotResource" in source
    if not negated and "Resource" not in source:
        return None, frozenset()
    cut = [tokens(each, variables=variables) for each in as_list(source["NotResource" if negated else "Resource"])]
    keys: frozenset[str] = frozenset().union(*(variables_of(each) for each in cut))
    fixed = tuple(matcher(each, arn=True) for each in cut if not variables_of(each))
    variable = tuple(each for each in cut if variables_of(each))
    return Resources(fixed, variable, (Wild("*"),) in cut, negated), keys


def _principals(source: Mapping[str, Any]) -> Principals | None:
    negated = "NotPrincipal" in source
    listed = source.get("NotPrincipal" if negated else "Principal")
    if listed is None:
        return None
    if listed == "*":
        return Principals({"AWS": ("*",)}, negated)
    return Principals({kind: tuple(_texts(ids)) for kind, ids in listed.items()}, negated)


def _texts(ids: Any) -> Iterable[str]:
    return (str(each) for each in as_list(ids))


def _single(context: Context, key: str) -> str | None:
    values = context.get(key)
    return values[0] if values and len(values) == 1 else None

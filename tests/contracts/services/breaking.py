"""Requests made from the model: one that keeps every constraint, and for each member ones that break just one.

``valid`` answers a value for a shape with its required members, ``broken`` walks a shape and answers cases: the
path to a member as AWS writes it, the value there that breaks one of its constraints, and which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# One of these satisfies each pattern that SageMaker's training inputs use.
_SAMPLES = (
    "a",
    "abc",
    "1K",
    "s3://bucket/key",
    "fs-0123456789abcdef0",
    "arn:aws:iam::123456789012:role/name",
    "arn:aws:lambda:us-east-1:123456789012:function:name",
    "arn:aws:sagemaker:us-east-1:123456789012:training-plan/name",
    "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/name",
    "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/name",
    "arn:aws:sagemaker:us-east-1:123456789012:model-package/name",
    "arn:aws:sagemaker:us-east-1:aws:hub-content/hub/DataSet/name",
    "arn:aws:sagemaker:us-east-1:aws:hub-content/hub/Model/name",
)
_MISFITS = ("!", "\x07", "\n", "-", "é", "a b", " ", "not what was asked for")


@dataclass(frozen=True)
class Case:
    path: str
    """As the message names it: ``inputDataConfig.1.member.channelName``."""
    kind: str
    request: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.path}:{self.kind}"


def valid(shape: Any, depth: int = 0) -> Any:
    """The smallest value that keeps ``shape``'s constraints."""
    kind, rules = shape.type_name, shape.metadata
    if kind == "structure":
        return {name: valid(shape.members[name], depth + 1) for name in shape.required_members}
    if kind == "list":
        return [valid(shape.member, depth + 1) for _ in range(rules.get("min", 0))]
    if kind == "map":
        return {f"k{at}": valid(shape.value) for at in range(rules.get("min", 0))}
    if kind == "string":
        return _string(shape)
    if kind in ("integer", "long", "float", "double"):
        return rules.get("min", rules.get("max", 1))
    return {"boolean": True, "timestamp": 1_700_000_000, "blob": b"x"}[kind]


def broken(shape: Any, request: dict[str, Any]) -> Iterator[Case]:
    """Cases for every member below the structure ``shape``, each in a copy of the valid ``request``."""
    for steps, member, required in _members(shape, (), ()):
        for kind, value in _breaks(member):
            yield Case(_path(steps), kind, _with(shape, request, steps, value))
        if required:
            yield Case(_path(steps), "required", _without(shape, request, steps))


def _string(shape: Any) -> str:
    if shape.enum:
        return str(shape.enum[0])
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 10**6)
    for sample in _SAMPLES:
        padded = sample + "x" * max(low - len(sample), 0)
        if len(padded) <= high and _fits(shape, padded):
            return padded
    raise AssertionError(f"no sample fits {shape.name}: {shape.metadata}")


def _fits(shape: Any, text: str) -> bool:
    pattern = shape.metadata.get("pattern")
    if pattern is None:
        return True
    # Java's classes in Python's words, well enough for the samples above.
    plain = pattern.replace(r"\p{Alnum}", "a-zA-Z0-9")
    for java in (r"\p{L}", r"\p{Z}", r"\p{N}"):
        plain = plain.replace(java, {r"\p{L}": "a-zA-Z", r"\p{Z}": " ", r"\p{N}": "0-9"}[java])
    return re.fullmatch(plain, text) is not None


def _members(shape: Any, steps: tuple[Any, ...], seen: tuple[str, ...]) -> Iterator[tuple[tuple[Any, ...], Any, bool]]:
    """(steps, shape, required) of every member at any depth; 0 steps into a list, ``None`` into a map's value."""
    if shape.name in seen:
        return
    below = (*seen, shape.name)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield (*steps, name), member, name in shape.required_members
            yield from _members(member, (*steps, name), below)
    elif shape.type_name == "list":
        yield (*steps, 0), shape.member, False
        yield from _members(shape.member, (*steps, 0), below)
    elif shape.type_name == "map":
        yield (*steps, None), shape.value, False
        yield from _members(shape.value, (*steps, None), below)


def _breaks(shape: Any) -> Iterator[tuple[str, Any]]:
    rules, kind = shape.metadata, shape.type_name
    if kind == "string" and shape.enum:
        yield "enum", "NotOneOfThem"
        return
    low, high = rules.get("min"), rules.get("max")
    if kind == "string":
        yield from _breaks_of_text(shape, low, high)
    elif kind in ("integer", "long", "float", "double"):
        if low is not None:
            yield "below", low - 1
        if high is not None:
            yield "above", high + 1
    elif kind == "list":
        if low:
            yield "short", []
        if high is not None and high <= 300:
            yield "long", [valid(shape.member)] * (high + 1)
    elif kind == "map" and high is not None and high <= 300:
        yield "long", {f"k{at}": valid(shape.value) for at in range(high + 1)}


def _breaks_of_text(shape: Any, low: int | None, high: int | None) -> Iterator[tuple[str, str]]:
    if low:
        yield "short", ""
    if high is not None:
        long = _string(shape)
        yield "long", long + "x" * (high + 1 - len(long))
    for text in _MISFITS:
        padded = text * (-(-(low or 1) // len(text)))
        if not _fits(shape, padded) and len(padded) <= (high or 10**6):
            yield "pattern", padded
            return


def _with(shape: Any, request: Any, steps: tuple[Any, ...], value: Any) -> Any:
    """A copy of ``request`` with ``value`` at ``steps`` and what is needed around it."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step == 0:
        filled = list(request) if request else [valid(shape.member)]
        return [_with(shape.member, filled[0], rest, value), *filled[1:]]
    if step is None:
        return {**(request or {}), "key": _with(shape.value, valid(shape.value), rest, value)}
    member = shape.members[step]
    held = request.get(step)
    return {**request, step: _with(member, valid(member) if held is None else held, rest, value)}


def _without(shape: Any, request: Any, steps: tuple[Any, ...]) -> Any:
    *path, name = steps
    around = shape
    for step in path:
        around = {0: lambda s: s.member, None: lambda s: s.value}.get(step, lambda s, n=step: s.members[n])(around)
    whole = valid(around) if path else request
    left = {key: value for key, value in whole.items() if key != name}
    return _with(shape, request, tuple(path), left)


def _path(steps: tuple[Any, ...]) -> str:
    """A map's value is told by the map, a plain value in a list by the list."""
    steps = steps[: steps.index(None)] if None in steps else steps
    steps = steps[:-1] if steps[-1] == 0 else steps
    return ".".join("1.member" if step == 0 else step[0].lower() + step[1:] for step in steps)

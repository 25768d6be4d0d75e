"""Answers cut to what the output shape declares.

What a record or an engine knows beyond the model cannot leak, and what is not set is absent: ``None`` and an
empty structure are left out, because clients take ``{}`` for a setting that was made (SageMaker's SDKs break
on an empty ``VpcConfig`` or ``DataCaptureConfig``). Lists and maps may be empty.

Each shape becomes one function, made when it is first asked for, so that the work per answer is a walk over
the value and not over the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloche.aws.operation import Shared

Projector = Callable[[Any], Any]


def projector(shape: Any) -> Projector:
    """A function that answers a copy of its argument with only the members ``shape`` (botocore's) declares."""
    return _make(shape, {})


def _make(shape: Any, made: dict[str, Projector]) -> Projector:
    if shape.type_name == "structure":
        if shape.name in made:  # a shape inside itself
            return _later(made, shape.name)
        made[shape.name] = _same
        members = [
            (name, _make(member, made), member.type_name == "structure") for name, member in shape.members.items()
        ]
        project = _same if shape.is_document_type else _structure(members)
        made[shape.name] = project
        return project
    if shape.type_name == "list":
        return _list(_make(shape.member, made))
    if shape.type_name == "map":
        item = _make(shape.value, made)
        return _same if item is _same else lambda value: {key: item(held) for key, held in value.items()}
    return _same


def _later(made: dict[str, Projector], name: str) -> Projector:
    def project(value: Any) -> Any:
        return made[name](value)

    return project


def _same(value: Any) -> Any:
    return value


def _list(member: Projector) -> Projector:
    if member is _same:
        return _same
    return lambda value: value if type(value) is Shared else [member(item) for item in value]


def _structure(members: list[tuple[str, Projector, bool]]) -> Projector:
    def project(value: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for name, member, is_structure in members:
            held = value.get(name)
            if held is None:
                continue
            if member is not _same:
                held = member(held)
            if is_structure and not held:
                continue
            answer[name] = held
        return answer

    return project

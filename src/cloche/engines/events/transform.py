"""What a target is handed of an event: all of it, a part, a constant, or a template filled from it.

In a template ``<name>`` stands for the value of a path, or for one of EventBridge's own. Where a template is JSON, a
value that stands inside of a text goes in as text, and elsewhere as JSON; a path that finds nothing is an empty text
inside of one, and ``""`` elsewhere.

docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloche.foundation.errors import Invalid

OWN: Final = frozenset(
    {
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event.ingestion-time",
        "aws.events.event",
        "aws.events.event.json",
    }
)
_STEP: Final = re.compile(r"\.([A-Za-z0-9_/*-]+)|\[(\d{1,6}|\*)\]|\['([^']+)'\]|\[\"([^\"]+)\"\]")
_VARIABLE: Final = re.compile(r"<([A-Za-z0-9_.-]{1,256})>")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_NOTHING: Final = object()


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def check(target: Mapping[str, Any]) -> None:
    """Raises ``Invalid`` for a target whose input cannot be made."""
    given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name) is not None]
    if len(given) > 1:
        raise Invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}.")
    if target.get("Input") is not None:
        _parsed(target["Input"], target["Id"])
    if target.get("InputPath") is not None:
        steps_of(target["InputPath"])
    if (transformer := target.get("InputTransformer")) is None:
        return
    paths = transformer.get("InputPathsMap") or {}
    for name, path in paths.items():
        if not _NAME.fullmatch(name) or name.startswith("AWS"):
            raise Invalid(f"Invalid InputPathsMap key {name} for target {target['Id']}.")
        steps_of(path)
    for variable in _VARIABLE.findall(transformer["InputTemplate"]):
        if variable not in paths and variable not in OWN:
            raise Invalid(
                f"InputTemplate for target {target['Id']} contains placeholder {variable} that is not in the "
                "InputPathsMap."
            )


def _parsed(text: str, target: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid(f"Parameter(s) Input not valid JSON for target {target}.") from None


def steps_of(path: str) -> list[str | int]:
    """``$.detail.items[0]`` as its steps; ``*`` means all of an array. Raises ``Invalid``."""
    if not path.startswith("$"):
        raise Invalid(f"Invalid JSON path {path[:256]}: it begins with $")
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise Invalid(f"Invalid JSON path {path[:256]}")
        name = found[1] or found[3] or found[4]
        if name is not None:
            steps.append(name)
        else:
            steps.append("*" if found[2] == "*" else int(found[2]))
        at = found.end()
    return steps


def at_path(event: Any, path: str) -> Any:
    """The value, or ``_NOTHING``."""
    return _at(event, steps_of(path))


def _at(value: Any, steps: list[str | int]) -> Any:
    for number, step in enumerate(steps):
        if step == "*" and isinstance(value, list):
            found = [_at(each, steps[number + 1 :]) for each in value]
            return [each for each in found if each is not _NOTHING]
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return _NOTHING
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return _NOTHING
    return value


def dynamic(value: str, event: Mapping[str, Any]) -> str:
    """Of a target's parameter: what is at the path in the event, where it is one, else the value itself
    (docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-target.html)."""
    if not value.startswith("$."):
        return value
    found = at_path(event, value)
    return "" if found is _NOTHING else found if isinstance(found, str) else dumps(found)


def payload(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str, ingested: str) -> str:
    """The text that ``target`` is handed for ``event``."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath") is not None:
        found = at_path(event, target["InputPath"])
        return dumps({} if found is _NOTHING else found)
    if (transformer := target.get("InputTransformer")) is None:
        return dumps(event)
    values = {name: at_path(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": ingested,
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    return fill(transformer["InputTemplate"], lambda name: values.get(name, _NOTHING))


def fill(template: str, value_of: Callable[[str], Any], variable: re.Pattern[str] = _VARIABLE) -> str:
    """A template that is a bare text with variables, not JSON, is filled as text."""
    is_json = template.lstrip()[:1] in ("{", "[", '"', "<")
    pieces: list[str] = []
    at, inside = 0, not is_json
    for found in variable.finditer(template):
        between = template[at : found.start()]
        if is_json:
            inside = _inside_after(between, inside)
        pieces.append(between)
        pieces.append(_written(value_of(found[1]), inside, is_json))
        at = found.end()
    pieces.append(template[at:])
    return "".join(pieces)


def _inside_after(text: str, inside: bool) -> bool:
    """Whether a JSON text is within a string after ``text``."""
    escaped = False
    for sign in text:
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == '"':
            inside = not inside
    return inside


def _written(value: Any, inside: bool, is_json: bool) -> str:
    if value is _NOTHING:
        return "" if inside else '""'
    if not inside:
        return dumps(value)
    text = value if isinstance(value, str) else dumps(value)
    return dumps(text)[1:-1] if is_json else text

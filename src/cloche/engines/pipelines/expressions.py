"""The functions a definition may hold in place of any value: ``Get``, ``Std:Join``, ``Std:JsonGet``.

    {"Get": "Parameters.X"}   {"Get": "Execution.PipelineName"}   {"Get": "Steps.S.ModelArtifacts.S3ModelArtifacts"}
    {"Std:Join": {"On": "/", "Values": […]}}
    {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.S.PropertyFiles.P"} | "S3Uri": …, "Path": "a.b[0]"}}

``references_in`` reads them without evaluating; ``evaluate`` asks a ``Scope`` for what they stand for. Forms: the
``expr`` of the SDKs' ``workflow.functions``, ``parameters`` and ``properties``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cloche.engines.pipelines.references import Undefined, value_at
from cloche.foundation.errors import Invalid

GET: Final = "Get"
JOIN: Final = "Std:Join"
JSON_GET: Final = "Std:JsonGet"
PROPERTY_FILES: Final = "PropertyFiles."
EXECUTION_VARIABLES: Final = frozenset(
    {
        "StartDateTime",
        "CurrentDateTime",
        "PipelineName",
        "PipelineArn",
        "PipelineExecutionId",
        "PipelineExecutionArn",
        "TrainingJobName",
        "ProcessingJobName",
    }
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a ``Get`` names: ``kind`` is Parameters, Execution or Steps; ``path`` is what follows a step's name."""

    kind: str
    name: str
    path: str = ""

    @property
    def property_file(self) -> str | None:
        return self.path.removeprefix(PROPERTY_FILES) if self.path.startswith(PROPERTY_FILES) else None

    def __str__(self) -> str:
        return ".".join(part for part in (self.kind, self.name, self.path) if part)


def reference_of(text: Any) -> Reference:
    """Raises ``Invalid`` for what names neither a parameter, an execution variable nor a step."""
    if isinstance(text, str):
        kind, _, rest = text.partition(".")
        if kind in ("Parameters", "Execution") and rest:
            return Reference(kind, rest)
        if kind == "Steps":
            name, _, path = rest.partition(".")
            if name:
                return Reference(kind, name, path)
    raise Invalid(f"{text!r} is not a reference: it names no parameter, execution variable or step", field=GET)


def is_function(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in (GET, JOIN, JSON_GET)


def references_in(value: Any) -> Iterator[Reference]:
    """All that ``value`` refers to, at any depth. Raises ``Invalid`` for a function of the wrong form."""
    if isinstance(value, list):
        for item in value:
            yield from references_in(item)
    elif isinstance(value, dict):
        if is_function(value):
            _check_form(value)
            if GET in value:
                yield reference_of(value[GET])
                return
        for item in value.values():
            yield from references_in(item)


def _check_form(function: dict[str, Any]) -> None:
    name, given = next(iter(function.items()))
    if name == JOIN and not (
        isinstance(given, dict) and isinstance(given.get("On", ""), str) and isinstance(given.get("Values"), list)
    ):
        raise Invalid("Std:Join needs the text On and the list Values", field=JOIN)
    if name == JSON_GET:
        if not isinstance(given, dict) or not isinstance(given.get("Path"), str):
            raise Invalid("Std:JsonGet needs a Path", field=JSON_GET)
        if ("PropertyFile" in given) == ("S3Uri" in given):
            raise Invalid("Std:JsonGet needs one of PropertyFile and S3Uri", field=JSON_GET)
        if "PropertyFile" in given:
            file = given["PropertyFile"]
            if not is_function(file) or GET not in file or reference_of(file[GET]).property_file is None:
                raise Invalid("PropertyFile of Std:JsonGet must be a Get of Steps.….PropertyFiles.…", field=JSON_GET)


class Scope(Protocol):
    """What is known when a step begins."""

    def parameter(self, name: str) -> Any: ...

    def variable(self, name: str) -> Any: ...

    def properties(self, step: str) -> Any:
        """The document that ``step`` has become. Raises ``Undefined``."""
        ...

    def property_file(self, step: str, name: str) -> Any:
        """The JSON of that file. Raises ``Undefined``, in words for the owner of the pipeline."""
        ...

    def json_at(self, uri: str) -> Any:
        """The JSON of an S3 object. Raises ``Undefined``."""
        ...


def evaluate(value: Any, scope: Scope) -> Any:
    """``value`` with every function in it replaced. Raises ``Undefined``."""
    if isinstance(value, list):
        return [evaluate(item, scope) for item in value]
    if not isinstance(value, dict):
        return value
    if not is_function(value):
        return {key: evaluate(item, scope) for key, item in value.items()}
    name, given = next(iter(value.items()))
    if name == GET:
        return _get(reference_of(given), scope)
    if name == JOIN:
        return str(given.get("On", "")).join(text_of(evaluate(item, scope)) for item in given["Values"])
    return _json_get(given, scope)


def _get(reference: Reference, scope: Scope) -> Any:
    if reference.kind == "Parameters":
        return scope.parameter(reference.name)
    if reference.kind == "Execution":
        return scope.variable(reference.name)
    file = reference.property_file
    if file is not None:
        return scope.property_file(reference.name, file)
    document = scope.properties(reference.name)
    try:
        return value_at(document, reference.path) if reference.path else document
    except Undefined:
        raise Undefined(f"{reference} is undefined") from None


def _json_get(given: dict[str, Any], scope: Scope) -> Any:
    if "S3Uri" in given:
        where = evaluate(given["S3Uri"], scope)
        document = scope.json_at(where)
    else:
        reference = reference_of(given["PropertyFile"][GET])
        where = str(reference)
        document = scope.property_file(reference.name, reference.property_file or "")
    try:
        return value_at(document, given["Path"])
    except Undefined:
        raise Undefined(f"the JSON path {given['Path']!r} is not in {where}") from None


def text_of(value: Any) -> str:
    """As ``Std:Join`` writes values: a Condition's outcome becomes ``false`` (``test_fail_steps.py`` of the SDK)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

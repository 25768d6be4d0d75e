"""Arguments of steps against the inputs they become, as far as they are told before anything has run.

AWS reads a definition's arguments by the model of the operation when the pipeline is made: ``Expecting start of Json
Array.`` (aws/sagemaker-python-sdk#2345) and ``Model Validation failed: Value 'FastFile' for 'ProcessingS3InputMode'
failed to satisfy enum value set: [Pipe, File]`` are what it says of values of another form, and of none of a set. What
stands for a value that is not known yet is passed over; the rest of the rules is the operation's, when it is called.
"""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.model.load import service_model
from cloche.aws.protocols.json_values import JsonReader
from cloche.engines.pipelines import Graph, is_function
from cloche.foundation.errors import Invalid

_START: Final = "Unable to parse pipeline definition. "
_READER: Final = JsonReader()


def check_arguments(graph: Graph) -> None:
    """Raises ``Invalid`` with the step's name."""
    for step in graph.definition.steps.values():
        if step.child is None:
            continue
        shape = service_model("sagemaker").operation_model(step.child.create).input_shape
        try:
            _check(shape, step.arguments)
        except Invalid as error:
            raise Invalid(f"{_START}{error.message} (step {step.name})", field="PipelineDefinition") from None


def _check(shape: Any, value: Any) -> None:
    if value is None or is_function(value):
        return
    kind = shape.type_name
    if kind == "list":
        if not isinstance(value, list):
            raise Invalid("Expecting start of Json Array.")
        for item in value:
            _check(shape.member, item)
    elif kind in ("structure", "map"):
        if not isinstance(value, dict):
            raise Invalid("Expecting start of Json Object.")
        for name, item in value.items():
            member = shape.value if kind == "map" else shape.members.get(name)
            if member is not None:
                _check(member, item)
    else:
        _check_scalar(shape, value)


def _check_scalar(shape: Any, value: Any) -> None:
    try:
        _READER.of(shape)(value)
    except AwsError as error:
        raise Invalid(f"Model Validation failed: {value!r:.100} for '{shape.name}': {error.message}") from None
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        raise Invalid(
            f"Model Validation failed: Value '{value:.100}' for '{shape.name}' failed to satisfy enum value set: "
            f"[{', '.join(allowed)}]"
        )

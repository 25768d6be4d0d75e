"""What a definition must keep to beyond its form: everything referred to is there, and nothing waits for itself."""

from __future__ import annotations

from typing import Any

from cloche.engines.pipelines import conditions, kinds, quality
from cloche.engines.pipelines.definition import Definition, Step, Unparsable, parse
from cloche.engines.pipelines.expressions import EXECUTION_VARIABLES, Reference, references_in
from cloche.engines.pipelines.graph import Graph, graph_of
from cloche.engines.pipelines.references import parts_of
from cloche.foundation.errors import Invalid


def check(text: str) -> Graph:
    """The graph of a definition that can be run. Raises ``Invalid``."""
    definition = parse(text)
    _check_experiment(definition)
    for step in definition.steps.values():
        try:
            _check_step(step, definition)
        except Unparsable:
            raise
        except Invalid as error:
            raise Unparsable(f"In the step {step.name}: {error.message}.") from None
    graph = graph_of(definition)
    if graph.on_cycles:
        raise Unparsable(f"These steps wait for each other in a circle: {', '.join(graph.on_cycles[:20])}.")
    return graph


def _check_experiment(definition: Definition) -> None:
    for name, value in (definition.experiment or {}).items():
        for reference in references_in(value):
            if reference.kind == "Steps":
                raise Unparsable(f"{name} of PipelineExperimentConfig cannot refer to a step.")
            _check_reference(reference, definition, f"{name} of PipelineExperimentConfig")


def _check_step(step: Step, definition: Definition) -> None:
    if step.type == kinds.CONDITION:
        for condition in step.arguments["Conditions"]:
            conditions.check(condition)
    for other in step.depends_on:
        if other not in definition.steps:
            raise Invalid(f"DependsOn names the step {other}, which is not there")
        if definition.steps[other].type == kinds.FAIL:
            # tests/integ/sagemaker/workflow/test_fail_steps.py of the SDK
            raise Unparsable(f"{step.name} can not depends on {other}")
    for reference in references_in([step.arguments, step.target]):
        _check_reference(reference, definition, "it")
    _check_outputs(step)


def _check_outputs(step: Step) -> None:
    outputs = step.arguments.get("ProcessingOutputConfig")
    names = _output_names(outputs)
    for name, file in step.property_files.items():
        if step.type != "Processing":
            raise Invalid(f"the property file {name} needs a Processing step")
        if names is not None and file.output not in names:
            raise Invalid(f"the property file {name} is of the output {file.output}, which the step does not have")


def _output_names(outputs: Any) -> set[Any] | None:
    if outputs is None:
        return set()
    listed = outputs.get("Outputs") if isinstance(outputs, dict) else None
    return {each.get("OutputName") for each in listed if isinstance(each, dict)} if isinstance(listed, list) else None


def _check_reference(reference: Reference, definition: Definition, who: str) -> None:
    if reference.kind == "Parameters":
        if reference.name not in definition.parameters:
            raise Invalid(f"{who} refers to the parameter {reference.name}, which is not there")
    elif reference.kind == "Execution":
        if reference.name not in EXECUTION_VARIABLES:
            raise Invalid(f"{who} refers to Execution.{reference.name}, which is not there")
    else:
        _check_step_reference(reference, definition, who)


def _check_step_reference(reference: Reference, definition: Definition, who: str) -> None:
    other = definition.steps.get(reference.name)
    if other is None:
        raise Invalid(f"{who} refers to the step {reference.name}, which is not there")
    if other.type == kinds.FAIL:
        raise Invalid(f"{who} refers to the step {reference.name}: a Fail step has no properties")
    file = reference.property_file
    if file is not None:
        if file not in other.property_files:
            raise Invalid(f"{who} refers to the property file {file}, which the step {other.name} does not have")
        return
    if not reference.path:
        return
    first, *rest = parts_of(reference.path)
    if other.type in (kinds.LAMBDA, kinds.CALLBACK) and (
        first != "OutputParameters" or len(rest) != 1 or rest[0] not in other.outputs
    ):
        raise Invalid(f"{who} refers to {reference}: the step {other.name} has no such output parameter")
    if other.type == kinds.QUALITY_CHECK and (rest or first not in quality.PROPERTIES):
        raise Invalid(f"{who} refers to {reference}: a QualityCheck step has only {', '.join(quality.PROPERTIES)}")
    if other.type == kinds.CONDITION and first != "Outcome":
        raise Invalid(f"{who} refers to {reference}: a Condition step has an Outcome only")

"""A pipeline definition, version 2020-12-01, read into parameters and steps; what it means is ``checking``'s matter.

Steps inside of a Condition step's ``IfSteps`` and ``ElseSteps`` are laid flat beside all others: each knows the
condition and the outcome it hangs on. ``Unable to parse pipeline definition.`` and what follows it are AWS's words
where they are known (aws/sagemaker-python-sdk#2345).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from cloche.engines.pipelines import kinds, quality
from cloche.engines.pipelines.durations import seconds_of
from cloche.engines.pipelines.parameters import TYPES, Parameter
from cloche.engines.pipelines.retrying import RetryPolicy, policy_of
from cloche.foundation.errors import Invalid

VERSION: Final = "2020-12-01"
COMPLETED: Final = "Completed"
TRIGGERS: Final = (COMPLETED, "Failed", "Stopped", "Any")
"""``workflow/step_dependency.py`` of SDK 3: which outcome of the step before lets the one after it run."""
STEPS_MAX: Final = 10_000
DEPTH_MAX: Final = 200
"""Of the document: every level of nested conditions takes four."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a step hangs on a condition."""

    condition: str
    outcome: bool


@dataclass(frozen=True, slots=True)
class PropertyFile:
    output: str
    path: str


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    type: str
    arguments: dict[str, Any]
    """Of a Condition step its conditions alone."""
    depends_on: Mapping[str, str] = field(default_factory=dict)
    """Step → trigger."""
    branches: tuple[Branch, ...] = ()
    display_name: str = ""
    description: str = ""
    expire_seconds: int | None = None
    """How old a run may be to be taken from the cache; ``None``: the step is not cached, -1: any age."""
    retries: tuple[RetryPolicy, ...] = ()
    property_files: Mapping[str, PropertyFile] = field(default_factory=dict)
    target: Any = None
    """The function of a Lambda step, the queue of a Callback step, what a QualityCheck step is told of its check."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Of a Lambda or Callback step: name → type."""

    @property
    def child(self) -> kinds.Child | None:
        return kinds.CHILDREN.get(self.type)


@dataclass(frozen=True, slots=True)
class Definition:
    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    """In the order of the document."""
    experiment: Mapping[str, Any] | None
    """``ExperimentName`` and ``TrialName``, values or functions; ``None``: jobs are not tracked."""


class Unparsable(Invalid):
    def __init__(self, what: str) -> None:
        super().__init__(f"Unable to parse pipeline definition. {what}", field="PipelineDefinition")


def parse(text: str) -> Definition:
    """Raises ``Invalid``, in words that name step and field."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unparsable(f"It is not JSON: {error}") from None
    document = _object(document)
    if _depth(document) > DEPTH_MAX:
        raise Unparsable(f"It is nested deeper than {DEPTH_MAX} levels.")
    if document.get("Version") != VERSION:
        raise Unparsable(f"Version must be {VERSION}, not {document.get('Version')!r}.")
    experiment = document.get("PipelineExperimentConfig")
    return Definition(
        _parameters(_array(document.get("Parameters") or [])),
        _Reader().read(_array(document.get("Steps"))),
        None if experiment is None else _object(experiment),
    )


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unparsable("Expecting start of Json Object.")
    return value


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unparsable("Expecting start of Json Array.")
    return value


def _depth(document: Any) -> int:
    level, deep = [document], 0
    while level:
        deep += 1
        if deep > DEPTH_MAX:
            break
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = below
    return deep


def _parameters(given: list[Any]) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for each in map(_object, given):
        name, type, default = each.get("Name"), each.get("Type"), each.get("DefaultValue")
        if not isinstance(name, str) or not _is_name(name, 256):
            raise Unparsable(f"{name!r} is not the Name of a parameter: letters, digits, - and _ only.")
        if type not in TYPES:
            raise Unparsable(f"The parameter {name} has the Type {type!r}, which is none of {', '.join(TYPES)}.")
        if name in found:
            raise Unparsable(f"There are two parameters called {name}.")
        parameter = Parameter(name, type, default, tuple(each.get("EnumValues") or ()))
        if default is not None and not parameter.takes(default):
            raise Unparsable(f"The DefaultValue of the parameter {name} is {default!r}: not one it may have.")
        found[name] = parameter
    return found


def _is_name(text: str, most: int) -> bool:
    # The model's patterns of PipelineParameterName and StepName: [A-Za-z0-9\-_]*
    return 0 < len(text) <= most and text.isascii() and text.replace("-", "").replace("_", "a").isalnum()


class _Reader:
    """Walks steps and the branches below them, without recursion."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self._named: list[tuple[str, Branch]] = []
        """Steps that a branch tells by name alone."""

    def read(self, given: list[Any]) -> dict[str, Step]:
        waiting: list[tuple[Any, Branch | None]] = [(each, None) for each in reversed(given)]
        while waiting:
            each, branch = waiting.pop()
            if isinstance(each, str) and branch is not None:
                self._named.append((each, branch))
                continue
            step = self._step(_object(each), branch)
            if step.name in self._steps:
                raise Unparsable(f"There are two steps called {step.name}: names of steps must be unique.")
            self._steps[step.name] = step
            if len(self._steps) > STEPS_MAX:
                raise Unparsable(f"It has more than {STEPS_MAX} steps.")
            if step.type == kinds.CONDITION:
                given_arguments = each["Arguments"]
                for member, outcome in (("ElseSteps", False), ("IfSteps", True)):
                    below = Branch(step.name, outcome)
                    waiting.extend((one, below) for one in reversed(_array(given_arguments.get(member) or [])))
        self._hang_named()
        if not self._steps:
            raise Unparsable("It has no steps.")
        return self._steps

    def _hang_named(self) -> None:
        for name, branch in self._named:
            step = self._steps.get(name)
            if step is None:
                raise Unparsable(f"The step {branch.condition} names the step {name}, which is not there.")
            held = {f: getattr(step, f) for f in step.__slots__}
            self._steps[name] = Step(**{**held, "branches": (*step.branches, branch)})

    def _step(self, given: dict[str, Any], branch: Branch | None) -> Step:
        name, type = given.get("Name"), given.get("Type")
        if not isinstance(name, str) or not _is_name(name, 64):
            raise Unparsable(f"{name!r} is not the Name of a step: at most 64 letters, digits, - and _.")
        if type in kinds.UNSUPPORTED:
            raise Unparsable(
                f"The step {name} is of the type {type}, which Cloche does not run: {kinds.UNSUPPORTED[type]}."
            )
        if type not in kinds.CHILDREN and type not in kinds.WITHOUT_CHILD:
            raise Unparsable(f"The step {name} is of the unknown Type {type!r}.")
        try:
            return self._parts(given, name, type, branch)
        except Unparsable:
            raise
        except Invalid as error:
            raise Unparsable(f"In the step {name}: {error.message}.") from None

    def _parts(self, given: dict[str, Any], name: str, type: str, branch: Branch | None) -> Step:
        arguments = _object(given.get("Arguments") or {})
        if type == kinds.CONDITION:
            arguments = {"Conditions": _array(arguments.get("Conditions"))}
        target = given.get({kinds.LAMBDA: "FunctionArn", kinds.CALLBACK: "SqsQueueUrl"}.get(type, ""))
        if type == kinds.QUALITY_CHECK:
            target = quality.members_of(given)
        if type in (kinds.LAMBDA, kinds.CALLBACK) and not target:
            raise Invalid(f"a {type} step needs {'FunctionArn' if type == kinds.LAMBDA else 'SqsQueueUrl'}")
        retries = tuple(policy_of(each) for each in _array(given.get("RetryPolicies") or []))
        if retries and type not in kinds.RETRIED:
            raise Invalid(f"steps of the type {type} take no RetryPolicies")
        return Step(
            name,
            type,
            arguments,
            _dependencies(_array(given.get("DependsOn") or [])),
            () if branch is None else (branch,),
            str(given.get("DisplayName") or ""),
            str(given.get("Description") or ""),
            _expiry(given.get("CacheConfig")),
            retries,
            _property_files(_array(given.get("PropertyFiles") or [])),
            target,
            _outputs(_array(given.get("OutputParameters") or [])),
        )


def _dependencies(given: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, trigger = (each, COMPLETED) if isinstance(each, str) else (None, None)
        if isinstance(each, dict):
            name, trigger = each.get("Step"), each.get("Trigger", COMPLETED)
        if not isinstance(name, str) or trigger not in TRIGGERS:
            raise Invalid(f"{each!r} in DependsOn is neither a step's name nor a Step with a Trigger")
        found[name] = trigger
    return found


def _expiry(config: Any) -> int | None:
    if config is None:
        return None
    config = _object(config)
    enabled, after = config.get("Enabled", False), config.get("ExpireAfter")
    if not isinstance(enabled, bool):
        raise Invalid("Enabled of CacheConfig must be true or false")
    if after is not None and not isinstance(after, str):
        raise Invalid("ExpireAfter of CacheConfig must be a text")
    seconds = -1 if after is None else seconds_of(after)
    return seconds if enabled else None


def _property_files(given: list[Any]) -> dict[str, PropertyFile]:
    found: dict[str, PropertyFile] = {}
    for each in map(_object, given):
        name, output, path = (each.get(member) for member in ("PropertyFileName", "OutputName", "FilePath"))
        if not (isinstance(name, str) and isinstance(output, str) and isinstance(path, str)):
            raise Invalid("a property file needs PropertyFileName, OutputName and FilePath")
        found[name] = PropertyFile(output, path)
    return found


def _outputs(given: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in map(_object, given):
        name, type = each.get("OutputName"), each.get("OutputType", "String")
        if not isinstance(name, str) or type not in TYPES:
            raise Invalid(f"an output parameter needs OutputName, and an OutputType of {', '.join(TYPES)}")
        found[name] = type
    return found

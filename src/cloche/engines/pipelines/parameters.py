"""A pipeline's parameters: their types, what a start may say, what an execution knows them as.

Values travel as texts (``StartPipelineExecution``, ``ListPipelineParametersForExecution``) and are typed inside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloche.engines.pipelines.expressions import text_of
from cloche.foundation.errors import Invalid

Value = str | int | float | bool
TYPES: Final = ("String", "Integer", "Float", "Boolean")
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}")


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    default: Value | None = None
    allowed: tuple[str, ...] = ()

    def value_of(self, text: str) -> Value:
        """Raises ``Invalid``."""
        value = self._typed(text)
        if self.allowed and value not in self.allowed:
            raise Invalid(
                f"{text!r} is not one of the values that the pipeline parameter {self.name} may have: "
                f"{', '.join(self.allowed)}",
                field="PipelineParameters",
            )
        return value

    def _typed(self, text: str) -> Value:
        if self.type == "String":
            return text
        if self.type == "Integer" and _INTEGER.fullmatch(text.strip()):
            return int(text)
        if self.type == "Boolean" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if self.type == "Float":
            try:
                number = float(text)
            except ValueError:
                number = math.nan
            if math.isfinite(number):
                return number
        raise Invalid(
            f"the pipeline parameter {self.name} is of type {self.type}: {text!r} is none", field="PipelineParameters"
        )

    def takes(self, value: Any) -> bool:
        """May ``value`` be the default of this parameter?"""
        if self.type == "Boolean":
            return isinstance(value, bool)
        if isinstance(value, bool):
            return False
        wanted: tuple[type, ...] = {"String": (str,), "Integer": (int,), "Float": (int, float)}[self.type]
        return isinstance(value, wanted) and (not self.allowed or value in self.allowed)


def values_for(
    parameters: Mapping[str, Parameter], given: Mapping[str, str], earlier: Mapping[str, Value] | None = None
) -> dict[str, Value]:
    """What an execution runs with: what was given, else what ``earlier`` ran with, else defaults. Raises ``Invalid``
    for a name that is not declared, a value of another type, and a parameter without any value."""
    unknown = [name for name in given if name not in parameters]
    if unknown:
        raise Invalid(f"Unknown pipeline parameters: {', '.join(unknown)}", field="PipelineParameters")
    values: dict[str, Value] = {}
    missing = []
    for name, parameter in parameters.items():
        if name in given:
            values[name] = parameter.value_of(given[name])
        elif earlier is not None and name in earlier:
            values[name] = earlier[name]
        elif parameter.default is not None:
            values[name] = float(parameter.default) if parameter.type == "Float" else parameter.default
        else:
            missing.append(name)
    if missing:
        raise Invalid(
            f"Missing values for pipeline parameters that have no default: {', '.join(missing)}",
            field="PipelineParameters",
        )
    return values


def shown(value: Value) -> str:
    return text_of(value)

"""Plans and trials for the tests of what is pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloche.engines.tuning import Completion, Definition, Objective, Plan, Range, Trial

NUMBER = Range("eta", "Continuous", 0.0, 1.0, "Linear")
SHAPE = Range("shape", "Categorical", values=("round", "flat", "tall"))


def definition(*ranges: Range, name: str = "", maximize: bool = False) -> Definition:
    return Definition(name, "arn:aws:iam::123456789012:role/r", Objective("loss", maximize), ranges, {})


def plan(*definitions: Definition, **changes: Any) -> Plan:
    made = Plan(
        arn="arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/t",
        name="t",
        account="123456789012",
        region="us-east-1",
        strategy="Random",
        seed=5,
        definitions=definitions or (definition(NUMBER),),
        jobs_max=20,
        parallel_max=2,
        completion=Completion(),
    )
    return replace(made, **changes)


def trial(number: int, objective: float | None = None, status: str = "Completed", **changes: Any) -> Trial:
    made = Trial(number, 0, f"t-{number:03d}", f"arn:{number}", {"eta": str(number / 100)}, (number / 100,))
    return replace(made, status=status, objective=objective, ended_at=float(number), **changes)

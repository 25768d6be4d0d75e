"""What a transform job is to do, decided when it is created and never changed after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cloche.jobs.hosts import Group, JobHost
from cloche.jobs.inputs import S3Input
from cloche.serving.model import ServedModel
from cloche_jobs.transform.batch import SINGLE

TIMEOUT_SECONDS_DEFAULT = 600.0
RETRIES_DEFAULT = 3
"""Both: docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelClientConfig.html"""


@dataclass(frozen=True, slots=True)
class Capture:
    """Where manifests of what went in and came out are kept; ``prefix`` without slash at its end."""

    bucket: str
    prefix: str
    ids: bool
    """Each record of the output has an id and the job's time behind it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Words are AWS's; ``None`` where the request leaves it to the model."""

    arn: str
    name: str
    account: str
    region: str
    model: ServedModel
    """With the variables of the job in its environment."""
    instance_type: str
    instance_count: int
    input: S3Input
    output_bucket: str
    output_prefix: str
    """Without slash at its end."""
    content_type: str | None = None
    accept: str | None = None
    split: str = "None"
    assemble: str = "None"
    strategy: str | None = None
    payload_mb: int | None = None
    concurrent: int | None = None
    timeout_seconds: float = TIMEOUT_SECONDS_DEFAULT
    retries: int = RETRIES_DEFAULT
    input_filter: str = "$"
    output_filter: str = "$"
    join: bool = False
    capture: Capture | None = None
    further: tuple[ServedModel, ...] = ()
    """What the other containers of an inference pipeline serve: each is asked what the one before it has answered."""

    @property
    def models(self) -> tuple[ServedModel, ...]:
        return (self.model, *self.further)

    def hosts(self, instances: tuple[str, ...]) -> tuple[JobHost, ...]:
        """Every instance's containers, each in a sandbox of its own: first all of the first instance."""
        group, count = Group(self.instance_type, self.instance_count), len(self.models)
        return tuple(
            JobHost(at * count + number, f"{name}-{number}" if number else name, group)
            for at, name in enumerate(instances)
            for number in range(count)
        )

    def model_of(self, host: JobHost) -> ServedModel:
        return self.models[host.number % len(self.models)]

    def output_key(self, name: str) -> str:
        """Where the answers to the input called ``name`` go."""
        return f"{self.output_prefix}/{name}.out" if self.output_prefix else f"{name}.out"

    def to_data(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Plan:
        model, further = ServedModel.of(data["model"]), tuple(map(ServedModel.of, data.get("further") or ()))
        given = {**data["input"], "attribute_names": tuple(data["input"]["attribute_names"])}
        capture = Capture(**data["capture"]) if data["capture"] else None
        read = {"model": model, "further": further, "input": S3Input(**given), "capture": capture}
        return Plan(**{**data, **read})


def batch_variables(strategy: str | None, payload_mb: int | None, concurrent: int | None) -> dict[str, str]:
    """What the container is told of its being used by a batch; only what the request says.

    Source: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html
    """
    told = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": payload_mb,
        "SAGEMAKER_BATCH_STRATEGY": strategy,
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": concurrent,
    }
    return {"SAGEMAKER_BATCH": "true", **{name: str(value) for name, value in told.items() if value is not None}}


def strategy_word(value: str | None) -> str | None:
    """``SingleRecord`` of the API as containers read it."""
    return None if value is None else SINGLE if value == "SingleRecord" else "MULTI_RECORD"

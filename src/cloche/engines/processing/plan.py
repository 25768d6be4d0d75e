"""What a processing job is to do, decided when it is created and never changed after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from cloche.jobs.hosts import Group, JobHost, Share, hosts_of
from cloche.jobs.inputs import S3Input


@dataclass(frozen=True, slots=True)
class Input(S3Input):
    """Files below ``local_path`` as the job sees it, or pipes called ``<local_path>_<epoch>``. Words are AWS's."""

    local_path: str = ""
    input_mode: str = "File"

    @property
    def is_piped(self) -> bool:
        return self.input_mode == "Pipe"


@dataclass(frozen=True, slots=True)
class Output:
    """A folder of the job's whose files become objects."""

    name: str
    bucket: str
    prefix: str
    """Of the objects' keys, without slash at its end."""
    local_path: str
    continuous: bool = False
    """They do so while the job runs; else once it has done its work."""


@dataclass(frozen=True, slots=True)
class Plan:
    arn: str
    name: str
    account: str
    region: str
    role_arn: str
    image: str
    """The catalog's key."""
    instances: Group
    max_runtime_seconds: float
    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    network: bool = True
    volume_bytes: int | None = None
    """How much the job may write below ``/opt/ml``, on each host."""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """What the job is told of itself: ``processingjobconfig.json``."""
    notice: str = ""
    """What the job's log begins with."""

    @property
    def hosts(self) -> tuple[JobHost, ...]:
        return tuple(hosts_of([self.instances]))

    def share(self, host: JobHost) -> Share:
        return Share(host.number, self.instances.count)

    def to_data(self) -> dict[str, Any]:
        """What was read from a request is not copied: nobody alters it."""
        return {
            **{member.name: getattr(self, member.name) for member in fields(self)},
            "instances": asdict(self.instances),
            "inputs": [asdict(each) for each in self.inputs],
            "outputs": [asdict(each) for each in self.outputs],
        }

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Plan:
        return Plan(
            **{
                **data,
                "instances": Group(**data["instances"]),
                "entrypoint": tuple(data["entrypoint"]),
                "arguments": tuple(data["arguments"]),
                "inputs": tuple(Input(**{**each, "attribute_names": ()}) for each in data["inputs"]),
                "outputs": tuple(Output(**each) for each in data["outputs"]),
            }
        )

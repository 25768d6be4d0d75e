"""What a training job is to do, decided when it is created and never changed after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cloche.jobs.file_systems import DirectoryInput
from cloche.jobs.hosts import Group, JobHost, Share, hosts_of
from cloche.jobs.inputs import S3Input


@dataclass(frozen=True, slots=True)
class Channel(S3Input):
    """What ``/opt/ml/input/data/<name>`` holds (``File``, ``FastFile``) or what streams through
    ``/opt/ml/input/data/<name>_<epoch>`` (``Pipe``). Words are AWS's."""

    content_type: str | None = None
    input_mode: str = "File"
    groups: tuple[str, ...] = ()
    """Of instances that get it; all do if it names none."""

    @property
    def title(self) -> str:
        return f"channel {self.name}"

    @property
    def is_piped(self) -> bool:
        return self.input_mode == "Pipe"

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Channel:
        texts = {name: tuple(data.get(name, ())) for name in ("attribute_names", "groups")}
        return Channel(**{**data, **texts})


@dataclass(frozen=True, slots=True)
class KeptFolder:
    """A folder of the job's that goes to S3 while it runs: ``prefix`` of keys, without slash at its end."""

    bucket: str
    prefix: str
    local_path: str
    """Where the job writes, as it sees it."""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Metric:
    """``regex``'s first group is the metric's value wherever it is found in a line of the log."""

    name: str
    regex: str
    built_in: bool = False
    """The algorithm's own: known to be quick."""


@dataclass(frozen=True, slots=True)
class Plan:
    arn: str
    name: str
    account: str
    region: str
    role_arn: str
    image: str
    """The catalog's key."""
    output_bucket: str
    output_prefix: str
    """Key prefix, without slash at its end, of everything this job stores."""
    groups: tuple[Group, ...]
    """One, unless the cluster is heterogeneous."""
    max_runtime_seconds: float
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    metrics: tuple[Metric, ...] = ()
    network: bool = True
    entrypoint: tuple[str, ...] = ()
    """Runs in place of the image's own command."""
    arguments: tuple[str, ...] = ()
    volume_bytes: int | None = None
    """How much the job may write below ``/opt/ml``, on each host."""
    compressed: bool = True
    """The model becomes one archive; otherwise an object for each of its files."""
    checkpoints: KeptFolder | None = None
    tensorboard: KeptFolder | None = None
    max_wait_seconds: float | None = None
    """Of managed spot training: from the job's creation to its end. Only such a job can be interrupted."""
    keep_alive_seconds: int = 0
    """How long the job's warm pool is kept after its end; 0: it has none."""
    retries: int = 0
    """How often a failure that was Cloche's own starts the job anew."""
    directories: tuple[DirectoryInput, ...] = ()
    """Channels that are folders of file systems: of every host, the whole of them."""
    notice: str = ""
    """What the job's log begins with."""

    @property
    def is_spot(self) -> bool:
        return self.max_wait_seconds is not None

    @property
    def hosts(self) -> tuple[JobHost, ...]:
        return tuple(hosts_of(self.groups))

    def share(self, channel: Channel, host: JobHost) -> Share | None:
        """``host``'s among those the channel is for; ``None`` if it is not one of them."""
        wanted = [each.number for each in self.hosts if not channel.groups or each.group.name in channel.groups]
        return Share(wanted.index(host.number), len(wanted)) if host.number in wanted else None

    def to_data(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Plan:
        return Plan(
            **{
                **data,
                "groups": tuple(Group(**group) for group in data["groups"]),
                "channels": tuple(Channel.from_data(channel) for channel in data["channels"]),
                "directories": tuple(DirectoryInput(**each) for each in data.get("directories", ())),
                "metrics": tuple(Metric(**metric) for metric in data["metrics"]),
                "entrypoint": tuple(data["entrypoint"]),
                "arguments": tuple(data["arguments"]),
                **{
                    name: KeptFolder(**data[name]) if data.get(name) else None
                    for name in ("checkpoints", "tensorboard")
                },
            }
        )

"""Which objects of S3 a job asks for, in AWS's words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class S3Input:
    """All objects below a prefix, or those that a manifest lists."""

    name: str
    bucket: str
    prefix: str
    """Of the objects' keys; with a manifest, the manifest's own key."""
    data_type: str = "S3Prefix"
    distribution: str = "FullyReplicated"
    compression: str = "None"
    record_wrapper: str = "None"
    shuffle_seed: int | None = None
    attribute_names: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What its owner calls it."""
        return f"input {self.name}"

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

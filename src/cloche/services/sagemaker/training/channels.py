"""The channels of a CreateTrainingJob request, with the rules between their members.

Sources: docs.aws.amazon.com/sagemaker/latest/APIReference, pages API_Channel and API_S3DataSource.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cloche.aws.errors import fact
from cloche.aws.operation import Members
from cloche.engines.training import Channel
from cloche.foundation.errors import Invalid

INPUT_MODE_DEFAULT: Final = "File"
ONLY_PIPED: Final = fact(
    "ValidationException",
    "Invalid {what} for channel {channel}: {mode} mode only supports NONE, got {value} instead",
    source="aws/sagemaker-python-sdk#716 (compression type); the same words for the record wrapper type",
)


def plan_channels(given: Iterable[Members], input_mode: str | None) -> tuple[Channel, ...]:
    """``input_mode`` is the algorithm's, for channels that name none. Raises ``Invalid`` and AWS's errors."""
    channels: list[Channel] = []
    for number, channel in enumerate(given, 1):
        made = _channel(channel, f"InputDataConfig.{number}", channel.get("InputMode") or input_mode)
        if made.name in {each.name for each in channels}:
            raise Invalid(f"Channel name {made.name} is used twice in InputDataConfig.", field="ChannelName")
        channels.append(made)
    _check_names(channels)
    return tuple(channels)


def address(uri: str, member: str) -> tuple[str, str]:
    """(bucket, prefix). Raises ``Invalid``."""
    scheme, _, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise Invalid(f"{member} is not an address in S3 (s3://bucket/prefix): {uri}", field=member)
    return bucket, prefix


def _channel(channel: Members, where: str, input_mode: str | None) -> Channel:
    source = channel["DataSource"].get("S3DataSource")
    if not source:
        raise Invalid(f"{where}.DataSource needs an S3DataSource.", field="DataSource")
    bucket, prefix = address(source["S3Uri"], f"{where}.DataSource.S3DataSource.S3Uri")
    made = Channel(
        name=channel["ChannelName"],
        bucket=bucket,
        prefix=prefix,
        content_type=channel.get("ContentType"),
        distribution=source.get("S3DataDistributionType") or "FullyReplicated",
        record_wrapper=channel.get("RecordWrapperType") or "None",
        input_mode=input_mode or INPUT_MODE_DEFAULT,
        data_type=source["S3DataType"],
        compression=channel.get("CompressionType") or "None",
        shuffle_seed=(channel.get("ShuffleConfig") or {}).get("Seed"),
        attribute_names=tuple(source.get("AttributeNames") or ()),
        groups=tuple(source.get("InstanceGroupNames") or ()),
    )
    _check(made)
    return made


def _check(channel: Channel) -> None:
    is_augmented = channel.data_type == "AugmentedManifestFile"
    if not channel.is_piped:
        for what, value in (
            ("compression type", channel.compression),
            ("record wrapper type", channel.record_wrapper),
        ):
            if value != "None":
                raise ONLY_PIPED.error(what=what, channel=channel.name, mode=channel.input_mode, value=value)
        if is_augmented:
            raise Invalid(
                f"Channel {channel.name} is given as an AugmentedManifestFile, which can only be used with input mode "
                f"Pipe; its input mode is {channel.input_mode}.",
                field="S3DataType",
            )
    if channel.attribute_names and not is_augmented:
        raise Invalid(
            f"Channel {channel.name} has AttributeNames, which can only be used with S3DataType AugmentedManifestFile.",
            field="AttributeNames",
        )


def _check_names(channels: list[Channel]) -> None:
    """A piped channel's files are called ``<channel>_<epoch>``: another channel may not be."""
    for piped in channels:
        for other in channels:
            rest = other.name.removeprefix(f"{piped.name}_")
            if piped.is_piped and rest != other.name and rest.isdigit():
                raise Invalid(
                    f"Channel {other.name} has the name of a pipe of channel {piped.name}.", field="ChannelName"
                )

"""The channels of a CreateTrainingJob request, with the rules between their members.

Sources: docs.aws.amazon.com/sagemaker/latest/APIReference, pages API_Channel, API_DataSource, API_S3DataSource and
API_FileSystemDataSource.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cloche.aws.errors import fact
from cloche.aws.operation import Members
from cloche.engines.training import Channel
from cloche.foundation.errors import Invalid
from cloche.jobs.file_systems import DirectoryInput

INPUT_MODE_DEFAULT: Final = "File"
ONLY_PIPED: Final = fact(
    "ValidationException",
    "Invalid {what} for channel {channel}: {mode} mode only supports NONE, got {value} instead",
    source="aws/sagemaker-python-sdk#716 (compression type); the same words for the record wrapper type",
)


def plan_channels(
    given: Iterable[Members], input_mode: str | None
) -> tuple[tuple[Channel, ...], tuple[DirectoryInput, ...]]:
    """Those of objects in S3, and those that are folders of file systems. ``input_mode`` is the algorithm's, for
    channels that name none. Raises ``Invalid`` and AWS's errors."""
    channels: list[Channel] = []
    directories: list[DirectoryInput] = []
    names: list[str] = []
    for number, channel in enumerate(given, 1):
        where, source, mode = f"InputDataConfig.{number}", channel["DataSource"], channel.get("InputMode") or input_mode
        if bool(source.get("S3DataSource")) == bool(source.get("FileSystemDataSource")):
            raise Invalid(f"{where}.DataSource needs an S3DataSource or a FileSystemDataSource.", field="DataSource")
        if channel["ChannelName"] in names:
            raise Invalid(
                f"Channel name {channel['ChannelName']} is used twice in InputDataConfig.", field="ChannelName"
            )
        names.append(channel["ChannelName"])
        if source.get("FileSystemDataSource"):
            directories.append(_directory(channel, mode or INPUT_MODE_DEFAULT))
        else:
            channels.append(_channel(channel, where, mode))
    _check_names(channels, names)
    return tuple(channels), tuple(directories)


def address(uri: str, member: str) -> tuple[str, str]:
    """(bucket, prefix). Raises ``Invalid``."""
    scheme, _, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise Invalid(f"{member} is not an address in S3 (s3://bucket/prefix): {uri}", field=member)
    return bucket, prefix


def _channel(channel: Members, where: str, input_mode: str | None) -> Channel:
    source = channel["DataSource"]["S3DataSource"]
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


def _directory(channel: Members, mode: str) -> DirectoryInput:
    """What a mounted file system offers is its files, as they are: there is no other mode
    (docs.aws.amazon.com/sagemaker/latest/dg/model-access-training-data.html: Pipe and FastFile stream from S3)."""
    name, source = channel["ChannelName"], channel["DataSource"]["FileSystemDataSource"]
    if mode != INPUT_MODE_DEFAULT:
        raise Invalid(
            f"Channel {name} is a file system, which can only be used with input mode File; its input mode is {mode}.",
            field="InputMode",
        )
    _check_plain(name, mode, channel.get("CompressionType"), channel.get("RecordWrapperType"))
    if channel.get("ShuffleConfig"):
        raise Invalid(
            f"Channel {name} is a file system, which ShuffleConfig cannot be used with.", field="ShuffleConfig"
        )
    return DirectoryInput(
        name=name,
        file_system=source["FileSystemId"],
        type=source["FileSystemType"],
        path=source["DirectoryPath"],
        writable=source["FileSystemAccessMode"] == "rw",
        content_type=channel.get("ContentType"),
    )


def _check_plain(name: str, mode: str, compression: str | None, wrapper: str | None) -> None:
    for what, value in (("compression type", compression), ("record wrapper type", wrapper)):
        if value not in (None, "None"):
            raise ONLY_PIPED.error(what=what, channel=name, mode=mode, value=value)


def _check(channel: Channel) -> None:
    is_augmented = channel.data_type == "AugmentedManifestFile"
    if not channel.is_piped:
        _check_plain(channel.name, channel.input_mode, channel.compression, channel.record_wrapper)
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


def _check_names(channels: list[Channel], names: list[str]) -> None:
    """A piped channel's files are called ``<channel>_<epoch>``: another channel may not be."""
    for piped in channels:
        for other in names:
            rest = other.removeprefix(f"{piped.name}_")
            if piped.is_piped and rest != other and rest.isdigit():
                raise Invalid(f"Channel {other} has the name of a pipe of channel {piped.name}.", field="ChannelName")

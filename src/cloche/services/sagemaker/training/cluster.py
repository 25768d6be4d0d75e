"""The instances of a CreateTrainingJob request: so many of one type, or several groups.

Source: docs.aws.amazon.com/sagemaker/latest/APIReference, pages API_ResourceConfig, API_InstanceGroup and
API_S3DataSource.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cloche.aws.operation import Members
from cloche.engines.training import Channel
from cloche.foundation.errors import Invalid
from cloche.foundation.limits import INSTANCES_PER_JOB_MAX
from cloche.jobs.hosts import Group


def plan_groups(resources: Members) -> tuple[Group, ...]:
    """Raises ``Invalid``."""
    given = resources.get("InstanceGroups")
    if given:
        groups = _several(resources, given)
    elif resources.get("InstanceType") and resources.get("InstanceCount"):
        groups = (Group(resources["InstanceType"], resources["InstanceCount"]),)
    else:
        raise Invalid("ResourceConfig needs InstanceType and InstanceCount, or InstanceGroups.", field="ResourceConfig")
    count = sum(group.count for group in groups)
    if count > INSTANCES_PER_JOB_MAX:
        raise Invalid(
            f"{count} instances are asked for; all of them run on this machine, and a job may have "
            f"{INSTANCES_PER_JOB_MAX}.",
            field="InstanceCount",
        )
    return groups


def _several(resources: Members, given: Sequence[Members]) -> tuple[Group, ...]:
    for member in ("InstanceType", "InstanceCount"):
        if resources.get(member):
            raise Invalid(f"ResourceConfig has InstanceGroups and {member}: only one may be given.", field=member)
    groups = tuple(Group(each["InstanceType"], each["InstanceCount"], each["InstanceGroupName"]) for each in given)
    names = [group.name for group in groups]
    for group in groups:
        if not group.count:
            raise Invalid(f"Instance group {group.name} has no instances.", field="InstanceCount")
        if names.count(group.name) > 1:
            raise Invalid(f"Two instance groups are called {group.name}.", field="InstanceGroupName")
    return groups


def check_groups_of_channels(channels: Iterable[Channel], groups: Iterable[Group]) -> None:
    """Raises ``Invalid`` for a channel meant for instances that are not there."""
    names = {group.name for group in groups}
    for channel in channels:
        for name in channel.groups:
            if name not in names:
                raise Invalid(
                    f"Channel {channel.name} is for instance group {name}, which ResourceConfig does not have.",
                    field="InstanceGroupNames",
                )

"""IAM's tags, as the search over all tags sees them.

Users and roles may be tagged there but are not found; the rest is found in us-east-1.
Source: docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html and
docs.aws.amazon.com/tag-editor/latest/userguide/find-resources-to-tag.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cloche.engines.identity.account import AccountIdentity
from cloche.engines.identity.entities import Kind
from cloche.engines.identity.identity import Identity
from cloche.engines.identity.ledger import ARN_RESOURCES
from cloche.foundation.errors import Invalid, NotFound
from cloche.storage.metadata.tag_index import Tagged
from cloche.storage.metadata.tags import GLOBAL_REGION

_PRINCIPALS: Final[dict[str, Kind]] = {"role": "role", "user": "user", "instance-profile": "instance-profile"}
_THINGS: Final = {resource: kind for kind, resource in ARN_RESOURCES.items()}


class TagOwner:
    """An ``Owner`` of the tagging engine."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def owns(self, arn: str) -> bool:
        return arn.startswith("arn:aws:iam::")

    def tag(self, account: str, region: str, arn: str, pairs: Sequence[tuple[str, str]]) -> None:
        self._change(account, arn, add=tuple(pairs))

    def untag(self, account: str, region: str, arn: str, keys: Sequence[str]) -> None:
        self._change(account, arn, remove=tuple(keys))

    def listed(self, account: str, region: str) -> Sequence[Tagged]:
        if region != GLOBAL_REGION:
            return ()
        mine = self._identity.find(account)
        if mine is None:
            return ()
        found = [Tagged(each.arn, _sorted(each.tags)) for each in mine.policies.own() if each.tags]
        found += [Tagged(each.arn, _sorted(each.tags)) for each in mine.entities.all("instance-profile") if each.tags]
        for kind in ARN_RESOURCES:
            found += [Tagged(each.arn, _sorted(each.tags)) for each in mine.things.all(kind) if each.tags]
        return found

    def _change(
        self, account: str, arn: str, *, add: tuple[tuple[str, str], ...] = (), remove: tuple[str, ...] = ()
    ) -> None:
        mine = self._identity.find(account)
        fields = arn.split(":", 5)
        if mine is None or fields[4] != account:
            raise NotFound(f"There is no resource {arn}")
        resource, _, rest = fields[5].partition("/")
        name = rest.rpartition("/")[2]
        if resource == "policy":
            mine.policies.get(arn)
            mine.policies.tag(arn, add) if add else mine.policies.untag(arn, remove)
        elif (principal := _PRINCIPALS.get(resource)) is not None:
            if mine.entities.get(principal, name).arn != arn:
                raise NotFound(f"There is no resource {arn}")
            entities = mine.entities
            entities.tag(principal, name, add) if add else entities.untag(principal, name, remove)
        elif (kind := _THINGS.get(resource)) is not None:
            _retag_thing(mine, kind, arn, add, remove)
        else:
            raise Invalid(f"{arn} is nothing of IAM's that has tags")


def _retag_thing(
    mine: AccountIdentity, kind: str, arn: str, add: tuple[tuple[str, str], ...], remove: tuple[str, ...]
) -> None:
    found = next((each for each in mine.things.all(kind) if each.arn == arn), None)
    if found is None:
        raise NotFound(f"There is no resource {arn}")
    mine.things.retag(found, add=add, remove=remove)


def _sorted(held: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(held))

"""``VpcConfig``: kept and shown, of the form AWS wants, and said in the log to confine nothing (decision 40).

Counts and letters are the model's. What ids begin with is looked at besides, as AWS looks for the things themselves:
docs.aws.amazon.com/vpc/latest/userguide (security groups are ``sg-…``, subnets ``subnet-…``).
"""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Members
from cloche.foundation.errors import Invalid
from cloche.jobs.notices import NETWORK_NOT_CONFINED

_FORMS: Final = {"SecurityGroupIds": "sg-", "Subnets": "subnet-"}


def check_vpc(config: Members | None, where: str = "VpcConfig") -> None:
    """Raises ``Invalid`` for an id that is none."""
    for member, form in _FORMS.items():
        for id in (config or {}).get(member) or ():
            if not id.startswith(form) or id == form:
                raise Invalid(f"{where}.{member} has {id!r}, which does not begin with {form}.", field=member)


def notice_of(config: Members | None, *, network: bool) -> str:
    """What a log begins with; nothing where there are no settings, or where the network is cut anyway."""
    return NETWORK_NOT_CONFINED if config and network else ""

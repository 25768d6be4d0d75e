"""AWS Resource Groups Tagging API: searching and changing the tags of everything, whatever service it is of."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.resourcegroupstaggingapi.errors import CODES

SERVICE = Service(
    name="resourcegroupstaggingapi",
    modules=(
        "cloche.services.resourcegroupstaggingapi.resources",
        "cloche.services.resourcegroupstaggingapi.keys_and_values",
        "cloche.services.resourcegroupstaggingapi.changes",
    ),
    errors=CODES,
)

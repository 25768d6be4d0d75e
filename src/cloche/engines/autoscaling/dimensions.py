"""What can be scaled: its dimensions, how its resources are named, and AWS's words for what is set of them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

NAMESPACE: Final = "sagemaker"
VARIANT: Final = "sagemaker:variant:DesiredInstanceCount"
COMPONENT: Final = "sagemaker:inference-component:DesiredCopyCount"
_NAME: Final = r"[a-zA-Z0-9](?:-*[a-zA-Z0-9])*"
_FORMS: Final = {
    VARIANT: re.compile(rf"endpoint/({_NAME})/variant/({_NAME})"),
    COMPONENT: re.compile(rf"inference-component/({_NAME})"),
}
_SET: Final = {VARIANT: "desired instance count", COMPONENT: "desired copy count"}
"""The first as AWS has it ("Setting desired instance count to 48.", seen of SageMaker), the second in its manner."""


class Dimension(NamedTuple):
    """One number of one resource."""

    name: str
    resource_id: str

    @staticmethod
    def of_variant(endpoint: str, variant: str) -> Dimension:
        return Dimension(VARIANT, f"endpoint/{endpoint}/variant/{variant}")

    @property
    def words(self) -> str:
        return _SET[self.name]

    @property
    def parts(self) -> tuple[str, ...]:
        """Endpoint and variant, or the component."""
        found = _FORMS[self.name].fullmatch(self.resource_id)
        assert found is not None
        return found.groups()

    @property
    def key(self) -> str:
        """What the target's record is called, and what the names of those of its policies and actions begin with."""
        return f"{self.name}|{self.resource_id}"

    @property
    def fills_silence(self) -> bool:
        """Does no data mean no requests? SageMaker tells nothing of a variant without requests, so that alarms lack
        data and it is not scaled in (endpoint-auto-scaling-prerequisites.html, "Scaling-in doesn't occur when there is
        no traffic"); a component without requests is scaled in, to no copy at all if it may be
        (endpoint-auto-scaling-zero-instances.html)."""
        return self.name == COMPONENT


def parts_of(name: str) -> tuple[str, str]:
    """Of the name of a policy's or an action's record: its target's, and its own."""
    dimension, resource_id, own = name.split("|", 2)
    return f"{dimension}|{resource_id}", own


def is_known(dimension: str, resource_id: str) -> bool:
    form = _FORMS.get(dimension)
    return form is not None and form.fullmatch(resource_id) is not None

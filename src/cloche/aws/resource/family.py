"""What botocore's model says about one noun: its operations, who identifies it, what its answers declare.

AWS names operations by verb and noun, answers creates with an ARN, and gives the inputs of a create back under
the same names in the description. All of it is read here once per noun; nothing here knows any noun.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cloche.aws.model.load import service_model

VERBS = ("Create", "Describe", "List", "Update", "Delete", "Stop")
TOKEN_MEMBERS = ("ClientRequestToken", "ClientToken")


@dataclass(frozen=True)
class Family:
    """The operations that share one noun. ``names`` begins with the create."""

    service: str
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names or not self.names[0].startswith("Create"):
            raise TypeError("a resource's operations begin with its Create…")
        for name in self.names:
            if self.verb(name) != "List" and name != self.verb(name) + self.noun:
                raise TypeError(f"{name} is not an operation of {self.noun}")

    @property
    def noun(self) -> str:
        return self.names[0].removeprefix("Create")

    def verb(self, name: str) -> str:
        for verb in VERBS:
            if name.startswith(verb):
                return verb
        raise TypeError(f"the kit knows no verb in {name}; write a plain @operation function")

    def named(self, verb: str) -> str | None:
        """The operation with that verb, if the noun brings one."""
        return next((name for name in self.names if self.verb(name) == verb), None)

    def model(self, name: str) -> Any:
        """botocore's ``OperationModel``."""
        return service_model(self.service).operation_model(name)

    def input_members(self, name: str) -> dict[str, Any]:
        shape = self.model(name).input_shape
        return dict(shape.members) if shape is not None else {}

    def output_members(self, name: str) -> dict[str, Any]:
        shape = self.model(name).output_shape
        return dict(shape.members) if shape is not None else {}

    @cached_property
    def create_members(self) -> dict[str, Any]:
        return self.input_members(self.names[0])

    @cached_property
    def arn_member(self) -> str:
        """The member by which answers give the noun's ARN."""
        answered = [name for name in self.output_members(self.names[0]) if name.endswith("Arn")]
        return self.noun + "Arn" if self.noun + "Arn" in answered or not answered else answered[0]

    @cached_property
    def token_member(self) -> str | None:
        """The create's idempotency token, if it takes one."""
        for name, shape in self.create_members.items():
            if shape.metadata.get("idempotencyToken") or name in TOKEN_MEMBERS:
                return name
        return None

    @cached_property
    def listed_member(self) -> str:
        """The member of the list's answer that holds the summaries."""
        name = self.named("List")
        assert name is not None
        return next(key for key, shape in self.output_members(name).items() if shape.type_name == "list")

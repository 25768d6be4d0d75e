"""Requests that were written as JSON by somebody else than a client: read by the model, as those of the wire are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloche.aws.errors import AwsError
from cloche.aws.model.load import service_model
from cloche.aws.protocols.json_values import JsonReader
from cloche.foundation.api import Refused

_READER = JsonReader()


def read_members(service: str, operation: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` as members of the operation's input: every type checked, times and bytes made of numbers and texts.

    What the model does not know is left out, as on the wire. Raises ``Refused`` with the member's name.
    """
    shape = service_model(service).operation_model(operation).input_shape
    known = {} if shape is None else shape.members
    members: dict[str, Any] = {}
    for name, value in document.items():
        if name not in known or value is None:
            continue
        try:
            members[name] = _READER.of(known[name])(value)
        except AwsError as error:
            raise Refused(error.code, f"{name} cannot be read: {error.message}") from None
    return members

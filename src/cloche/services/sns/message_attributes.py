"""Attributes of messages: their rules and their size.

docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from cloche.services.sns.errors import invalid_value

NAME_BYTES_MAX: Final = 256
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_.-]")
_TYPE: Final = re.compile(r"(String|Number|Binary)(?:\..{1,249})?", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

Attributes = Mapping[str, Mapping[str, Any]]


def check(attributes: Attributes) -> None:
    """Raises ``AwsError``."""
    for name, attribute in attributes.items():
        _check_name(name)
        _check_value(name, attribute)


def _check_name(name: str) -> None:
    if not name or len(name.encode()) > NAME_BYTES_MAX:
        raise invalid_value("Length of message attribute name must be less than 256 bytes.")
    if strange := _STRANGE.search(name):
        raise invalid_value(
            f"Invalid non-alphanumeric character '#x{ord(strange[0]):X}' was found in the message attribute name. Can "
            "only include alphanumeric characters, hyphens, underscores, or dots."
        )
    if name.startswith("."):
        raise invalid_value("Invalid message attribute name starting with character '.' was found.")
    if name.endswith("."):
        raise invalid_value("Invalid message attribute name ending with character '.' was found.")
    if ".." in name:
        raise invalid_value("Message attribute name can not have successive '.' character.")


def _check_value(name: str, attribute: Mapping[str, Any]) -> None:
    data_type = attribute["DataType"]
    kind = _TYPE.fullmatch(data_type)
    if kind is None:
        raise invalid_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes "
            "is Binary, Number, and String."
        )
    wanted, other = ("Binary", "String") if kind[1] == "Binary" else ("String", "Binary")
    value = attribute.get(f"{wanted}Value")
    if attribute.get(f"{other}Value") and not value:
        raise invalid_value(f"The message attribute '{name}' with type '{data_type}' must use field '{wanted}'.")
    if not value:
        raise invalid_value(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute type "
            f"'{data_type}'."
        )
    if kind[1] == "Number" and not _NUMBER.fullmatch(value):
        raise invalid_value(f"Could not cast message attribute '{name}' value to number.")
    if data_type == "String.Array" and not _is_array(value):
        raise invalid_value(f"The message attribute '{name}' with type 'String.Array' must hold a JSON array.")


def _is_array(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, list) and not any(isinstance(each, dict | list) for each in found)


def size(attributes: Attributes) -> int:
    """In bytes: names, types and values count (…/sns-message-attributes.html)."""
    return sum(
        len(name.encode())
        + len(each["DataType"].encode())
        + len((each.get("StringValue") or "").encode())
        + len(each.get("BinaryValue") or b"")
        for name, each in attributes.items()
    )


def kept(attributes: Attributes) -> dict[str, dict[str, str]]:
    """As JSON."""
    return {
        name: {
            "DataType": each["DataType"],
            **(
                {"BinaryValue": base64.b64encode(each["BinaryValue"]).decode()}
                if each["DataType"].startswith("Binary")
                else {"StringValue": each["StringValue"]}
            ),
        }
        for name, each in attributes.items()
    }

"""Attributes of messages: their rules, their size, and the digest that clients check.

The digest's form: docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.services.sqs.errors import invalid_value

ATTRIBUTES_MAX: Final = 10  # …/SQSDeveloperGuide/quotas-messages.html
_NAME: Final = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
_RESERVED: Final = re.compile(r"(?:aws|amazon)\.", re.IGNORECASE)
_TYPE: Final = re.compile(r"(String|Number|Binary)(?:\..{1,249})?", re.DOTALL)
_FORBIDDEN: Final = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""API_SendMessage.html lists what a message may hold."""

Attributes = Mapping[str, Mapping[str, Any]]


def is_sound_text(text: str) -> bool:
    return _FORBIDDEN.search(text) is None


def check(attributes: Attributes) -> None:
    """Raises ``AwsError``."""
    if len(attributes) > ATTRIBUTES_MAX:
        raise AwsError(
            "InvalidParameterValue",
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{ATTRIBUTES_MAX}].",
        )
    for name, attribute in attributes.items():
        if not _NAME.fullmatch(name) or _RESERVED.match(name):
            raise AwsError("InvalidParameterValue", f"The message attribute name '{name[:300]}' is invalid.")
        _check_value(name, attribute)


def _check_value(name: str, attribute: Mapping[str, Any]) -> None:
    kind = _TYPE.fullmatch(attribute["DataType"])
    if kind is None:
        raise AwsError(
            "InvalidParameterValue",
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes "
            "is Binary, Number, and String.",
        )
    for member in ("StringListValues", "BinaryListValues"):
        if attribute.get(member):
            raise AwsError(
                "UnsupportedOperation",
                f"Message attribute list values in SendMessage operation are not supported ({member}).",
            )
    text, blob = attribute.get("StringValue"), attribute.get("BinaryValue")
    if not (blob if kind[1] == "Binary" else text):
        raise AwsError(
            "InvalidParameterValue",
            f"The message attribute '{name}' must contain a non-empty message attribute value for message attribute "
            f"type '{kind[1]}'.",
        )
    if text and blob:
        raise AwsError("InvalidParameterValue", f"Message attribute '{name}' has multiple values.")
    if text and not is_sound_text(text):
        raise invalid_value(name, "MessageAttributes", "Invalid characters found.")
    if kind[1] == "Number" and text is not None and not _is_number(text):
        raise AwsError("InvalidParameterValue", f"Can't cast the value of message attribute '{name}' to a number.")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", text.strip(), re.ASCII) is not None


def size(attributes: Attributes) -> int:
    """In bytes: names, types and values count (…/SQSDeveloperGuide/quotas-messages.html)."""
    return sum(
        len(name.encode()) + len(attribute["DataType"].encode()) + len(_value(attribute))
        for name, attribute in attributes.items()
    )


def digest(attributes: Attributes) -> str | None:
    """MD5 over all of them in the order of their names, each part with its length before it."""
    if not attributes:
        return None
    md5 = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        for part in (name.encode(), attribute["DataType"].encode()):
            md5.update(len(part).to_bytes(4, "big") + part)
        value = _value(attribute)
        md5.update(b"\x02" if attribute["DataType"].startswith("Binary") else b"\x01")
        md5.update(len(value).to_bytes(4, "big") + value)
    return md5.hexdigest()


def _value(attribute: Mapping[str, Any]) -> bytes:
    if attribute["DataType"].startswith("Binary"):
        return bytes(attribute["BinaryValue"])
    return str(attribute["StringValue"]).encode()


def kept(attributes: Attributes) -> dict[str, Any]:
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


def chosen(held: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """Of what was ``kept``, those that a receiver asked for: by name, all, or all that begin alike (``bar.*``)."""
    found: dict[str, Any] = {}
    for ask in wanted:
        if ask in ("All", ".*"):
            found = dict(held)
            break
        if ask.endswith(".*"):
            found |= {name: each for name, each in held.items() if name.startswith(ask[:-2])}
        elif ask in held:
            found[ask] = held[ask]
    return {
        name: {**each, "BinaryValue": base64.b64decode(each["BinaryValue"])} if "BinaryValue" in each else each
        for name, each in found.items()
    }

"""A message, and the notice made of it: the JSON that subscribers are handed, with its signature.

Forms: docs.aws.amazon.com/sns/latest/dg/http-notification-json.html, …/http-subscription-confirmation-json.html; what
is signed: …/sns-verify-signature-of-message-verify-message-signature.html. Notices of FIFO topics are not signed and
have their sequence number (recorded of SNS: localstack/localstack, tests/aws/services/sns/test_sns.snapshot.json,
``test_message_to_fifo_sqs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

NOTIFICATION: Final = "Notification"
CONFIRMATION: Final = "SubscriptionConfirmation"
GOODBYE: Final = "UnsubscribeConfirmation"


class Signer(Protocol):
    """Signs in the name of this Cloche, and knows where it is reached."""

    @property
    def certificate_url(self) -> str:
        """Where receivers find the certificate to check with."""
        ...

    @property
    def url(self) -> str:
        """This Cloche's, for links that confirm and unsubscribe."""
        ...

    def sign(self, text: str, version: str) -> str:
        """Base64. Version 1 is RSA with SHA-1, version 2 with SHA-256; a millisecond of work."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """What a publisher says. ``attributes`` as JSON: ``DataType`` and ``StringValue`` or (base64) ``BinaryValue``."""

    text: str
    subject: str = ""
    by_protocol: Mapping[str, str] = field(default_factory=dict)
    """Other texts for some protocols."""
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    group: str = ""
    deduplication: str = ""

    def text_for(self, protocol: str) -> str:
        return self.by_protocol.get(protocol, self.text)


class Notice:
    """A message on its way: what it was given, and each signature, made once."""

    def __init__(
        self,
        message: Message,
        topic_arn: str,
        id: str,
        timestamp: str,
        signer: Signer,
        *,
        kind: str = NOTIFICATION,
        signature_version: str = "1",
        token: str = "",
    ) -> None:
        self.message, self.topic_arn, self.id, self.timestamp, self.kind = message, topic_arn, id, timestamp, kind
        self.sequence = ""
        self._signer, self._version, self._token = signer, signature_version, token
        self._signatures: dict[str, str] = {}

    @property
    def is_signed(self) -> bool:
        """A FIFO topic's messages are not."""
        return not self.topic_arn.endswith(".fifo")

    @property
    def confirm_url(self) -> str:
        return (
            f"{self._signer.url}/?Action=ConfirmSubscription&TopicArn={self.topic_arn}&Token={self._token}"
            "&Version=2010-03-31"
        )

    def unsubscribe_url(self, subscription_arn: str) -> str:
        return f"{self._signer.url}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}&Version=2010-03-31"

    def sign(self, text: str) -> str:
        found = self._signatures.get(text)
        if found is None:
            found = self._signatures[text] = self._signer.sign(self._signed_text(text), self._version)
        return found

    def _signed_text(self, text: str) -> str:
        subject = self.message.subject
        if self.kind == NOTIFICATION:
            middle = {"Subject": subject} if subject else {}
            last: dict[str, str] = {}
        else:
            middle, last = {"SubscribeURL": self.confirm_url}, {"Token": self._token}
        parts = {
            "Message": text,
            "MessageId": self.id,
            **middle,
            "Timestamp": self.timestamp,
            **last,
            "TopicArn": self.topic_arn,
            "Type": self.kind,
        }
        return "".join(f"{name}\n{value}\n" for name, value in parts.items())

    def members(self, protocol: str, subscription_arn: str, *, url: str = "URL") -> dict[str, Any]:
        """The notice as its receiver sees it; Lambda writes ``Url`` where others have ``URL``."""
        message, text = self.message, self.message.text_for(protocol)
        made: dict[str, Any] = {"Type": self.kind, "MessageId": self.id}
        if self.kind != NOTIFICATION:
            made["Token"] = self._token
        if self.sequence:
            made["SequenceNumber"] = self.sequence
        made["TopicArn"] = self.topic_arn
        if message.subject:
            made["Subject"] = message.subject
        made["Message"] = text
        if self.kind != NOTIFICATION:
            made[f"Subscribe{url}"] = self.confirm_url
        made["Timestamp"] = self.timestamp
        if self.is_signed:
            made["SignatureVersion"] = self._version
            made["Signature"] = self.sign(text)
            made[f"SigningCert{url}"] = self._signer.certificate_url
        if self.kind == NOTIFICATION:
            made[f"Unsubscribe{url}"] = self.unsubscribe_url(subscription_arn)
            if message.attributes:
                made["MessageAttributes"] = told_attributes(message.attributes)
        return made

    def envelope(self, protocol: str, subscription_arn: str) -> str:
        """The JSON text, laid out as SNS does it."""
        members = self.members(protocol, subscription_arn)
        attributes = members.pop("MessageAttributes", None)
        lines = [f'  "{name}" : {_json(value)}' for name, value in members.items()]
        if attributes:
            inner = ",\n".join(f"    {_json(name)} : {_json(value)}" for name, value in attributes.items())
            lines.append(f'  "MessageAttributes" : {{\n{inner}\n  }}')
        return "{\n" + ",\n".join(lines) + "\n}"


def told_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """As notices have them."""
    return {
        name: {"Type": each["DataType"], "Value": each["StringValue" if "StringValue" in each else "BinaryValue"]}
        for name, each in attributes.items()
    }


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()

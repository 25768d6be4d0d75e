"""Publish and its batch. An answer means that every subscriber has it, or is owed it on the disk.

Limits: docs.aws.amazon.com/sns/latest/api/API_Publish.html and …/API_PublishBatch.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.topics import Message, Published, Topic
from cloche.foundation.errors import NotSupported
from cloche.services.sns import message_attributes
from cloche.services.sns.access import topic_at
from cloche.services.sns.errors import invalid

MESSAGE_BYTES_MAX: Final = 262_144
ENTRIES_MAX: Final = 10
_TOKEN: Final = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_SUBJECT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,100}")
""""Subjects must be UTF-8 text with no line breaks or control characters, and less than 100 characters long"
(botocore's documentation of Publish); 100 are taken."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]+")


@operation("Publish")
async def publish(ctx: Context, request: Members) -> Members:
    if request.get("PhoneNumber"):
        raise NotSupported("Publish to a PhoneNumber is not supported: Cloche sends no text messages.")
    arn = request.get("TopicArn")
    member = "TopicArn" if arn is not None else "TargetArn"
    target = arn if arn is not None else request.get("TargetArn")
    if target is None:
        raise invalid("TopicArn or TargetArn Reason: no value for required parameter")
    if ":endpoint/" in target:
        raise NotSupported("Publish to a platform endpoint is not supported: Cloche sends no push notifications.")
    topic = topic_at(ctx, target, "Publish", member=member)
    message = _message(topic, request)
    if _size(request) > MESSAGE_BYTES_MAX:
        raise invalid("Message too long")
    (published,) = await ctx.parts.topics.publish(topic, [message])
    return _answer(topic, published)


@operation("PublishBatch")
async def publish_batch(ctx: Context, request: Members) -> Members:
    topic = topic_at(ctx, request["TopicArn"], "Publish")
    entries = _entries(request)
    if sum(_size(each) for each in entries) > MESSAGE_BYTES_MAX:
        raise AwsError("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
    published = await ctx.parts.topics.publish(topic, [_message(topic, each) for each in entries])
    answers = [{"Id": entry["Id"], **_answer(topic, each)} for entry, each in zip(entries, published, strict=True)]
    return {"Successful": answers, "Failed": []}


def _entries(request: Members) -> list[Members]:
    entries: list[Members] = request["PublishBatchRequestEntries"]
    if not entries:
        raise AwsError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(entries) > ENTRIES_MAX:
        raise AwsError("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
    if len({each["Id"] for each in entries}) != len(entries):
        raise AwsError("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
    for each in entries:
        if not _ID.fullmatch(each["Id"]):
            text = f"The Id of a batch entry in the batch request contains an impermissible character: {each['Id']}"
            raise AwsError("InvalidBatchEntryId", text)
        if len(each["Id"]) > 80:
            text = f"The Id of a batch entry in the batch request is too long: {each['Id']}"
            raise AwsError("InvalidBatchEntryId", text)
    return entries


def _message(topic: Topic, given: Mapping[str, Any]) -> Message:
    """Raises ``AwsError``."""
    text = given["Message"]
    if not text:
        raise invalid("Empty message")
    subject = given.get("Subject")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise invalid("Subject")
    by_protocol: dict[str, str] = {}
    if (structure := given.get("MessageStructure")) is not None:
        if structure != "json":
            raise invalid("MessageStructure")
        text, by_protocol = _structured(text)
    attributes = given.get("MessageAttributes") or {}
    message_attributes.check(attributes)
    group, deduplication = _tokens(topic, given)
    return Message(text, subject or "", by_protocol, message_attributes.kept(attributes), group, deduplication)


def _structured(text: str) -> tuple[str, dict[str, str]]:
    """The text for everybody, and those for some protocols."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise invalid("Message Structure - JSON message body failed to parse")
    texts = {name: value for name, value in found.items() if isinstance(value, str)}
    if not texts.get("default"):
        raise invalid("Message Structure - No default entry in JSON message body")
    return texts["default"], texts


def _tokens(topic: Topic, given: Mapping[str, Any]) -> tuple[str, str]:
    """(group, deduplication id). A standard topic's messages may have groups, for fair queues (API_Publish.html)."""
    group, deduplication = given.get("MessageGroupId") or "", given.get("MessageDeduplicationId") or ""
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", deduplication)):
        if value and not _TOKEN.fullmatch(value):
            raise invalid(
                f"{name} Reason: can only include alphanumeric and punctuation characters, 1 to 128 in length"
            )
    if not topic.fifo:
        if deduplication:
            raise invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not "
                "valid for this topic type"
            )
        return group, ""
    if not group:
        raise invalid("The MessageGroupId parameter is required for FIFO topics")
    if not deduplication:
        if topic.attributes.get("ContentBasedDeduplication") != "true":
            raise invalid(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly"
            )
        # docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html: SHA-256 of the body, without its attributes
        deduplication = hashlib.sha256(given["Message"].encode()).hexdigest()
    return group, deduplication


def _size(given: Mapping[str, Any]) -> int:
    return len(given["Message"].encode()) + message_attributes.size(given.get("MessageAttributes") or {})


def _answer(topic: Topic, published: Published) -> Members:
    return {"MessageId": published.message_id, "SequenceNumber": published.sequence or None}

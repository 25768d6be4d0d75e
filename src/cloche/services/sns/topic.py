"""Topics: made, listed, described, changed and deleted."""

from __future__ import annotations

import re
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.engines.topics import TOPIC, Topic, topic_arn
from cloche.engines.topics import subscriptions as rows
from cloche.foundation.errors import AlreadyExists, Invalid, LimitReached, NotFound, NotSupported
from cloche.services.sns import topic_attributes
from cloche.services.sns.access import topic_at
from cloche.services.sns.errors import invalid
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.keyset import Walk, read_page

PAGE: Final = 100  # API_ListTopics.html: "Each call returns a limited list of topics, up to 100"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME: Final = re.compile(r"(?=.{6,256}$)[A-Za-z0-9_-]+\.fifo")
"""API_CreateTopic.html"""


@operation("CreateTopic")
def create_topic(ctx: Context, request: Members) -> Members:
    """A topic of that name is answered as it is, if it has the same values of what is asked for."""
    if request.get("DataProtectionPolicy"):
        raise NotSupported("CreateTopic does not support DataProtectionPolicy: Cloche inspects no messages.")
    name, given = request["Name"], dict(request.get("Attributes") or {})
    fifo = given.pop("FifoTopic", "false")
    if fifo not in ("true", "false"):
        raise invalid(f"Attributes Reason: FifoTopic: Invalid value [{fifo}]. Must be true or false.")
    if not (_FIFO_NAME if fifo == "true" else _NAME).fullmatch(name):
        raise invalid("Topic Name")
    kept = {
        attribute: topic_attributes.checked(attribute, value, fifo=fifo == "true", of_creation=True)
        for attribute, value in given.items()
    }
    if fifo == "true":
        kept.setdefault("SignatureVersion", "2")  # recorded: test_create_topic_with_attributes
    pairs = _pairs(request)
    try:
        made = ctx.parts.topics.create(ctx.account, ctx.region, name, kept, pairs)
    except AlreadyExists:
        made = _same(ctx, name, given, request)
    return {"TopicArn": made.arn}


def _same(ctx: Context, name: str, given: dict[str, str], request: Members) -> Topic:
    """The topic that is there. Raises ``AwsError`` where it is not what was asked for."""
    found: Topic = ctx.parts.topics.get(topic_arn(ctx.account, ctx.region, name))
    has = topic_attributes.shown(found, 0, 0)
    if any(has.get(attribute) != value for attribute, value in given.items()):
        raise invalid("Attributes Reason: Topic already exists with different attributes")
    held = dict(tags.read(ctx.parts.database.reader, found.arn))
    if "Tags" in request and any(held.get(key) != value for key, value in _pairs(request)):
        raise invalid("Tags Reason: Topic already exists with different tags")
    return found


def _pairs(request: Members) -> list[tuple[str, str]]:
    members = request.get("Tags") or []
    if len({each["Key"] for each in members}) != len(members):
        raise invalid("Duplicated keys are not allowed.")
    try:
        pairs = tagging.tag_pairs(members)
    except Invalid as error:
        raise invalid(f"Tags Reason: {error.message}") from None
    if len(pairs) > tagging.TAGS_MAX:
        raise LimitReached(f"A topic may not have more than {tagging.TAGS_MAX} tags.")
    return pairs


@operation("DeleteTopic")
def delete_topic(ctx: Context, request: Members) -> Members:
    """One that is not there is as good as deleted (API_DeleteTopic.html: "This action is idempotent")."""
    try:
        topic = topic_at(ctx, request["TopicArn"], "DeleteTopic")
    except NotFound:
        return {}
    ctx.parts.topics.delete(topic.arn)
    return {}


@operation("ListTopics", reads=True)
def list_topics(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    secret, token = records.page_secret(reader), request.get("NextToken")
    question: list[Any] = ["ListTopics", ctx.account, ctx.region]
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?"),
        arguments=(ctx.account, ctx.region, TOPIC),
        columns="name, arn",
    )
    page = read_page(reader, walk, after=tokens.unseal(secret, question, token) if token else None, size=PAGE)
    answer: Members = {"Topics": [{"TopicArn": row["arn"]} for row in page.rows]}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("GetTopicAttributes", reads=True)
def get_topic_attributes(ctx: Context, request: Members) -> Members:
    topic = topic_at(ctx, request["TopicArn"], "GetTopicAttributes")
    return {"Attributes": topic_attributes.shown(topic, *rows.counts(ctx.parts.database.reader, topic.arn))}


@operation("SetTopicAttributes")
def set_topic_attributes(ctx: Context, request: Members) -> Members:
    topic = topic_at(ctx, request["TopicArn"], "SetTopicAttributes")
    name, value = request["AttributeName"], request.get("AttributeValue") or ""
    if not value and name in topic_attributes.SETTABLE:
        kept = {held: text for held, text in topic.attributes.items() if held != name}
    else:
        checked = topic_attributes.checked(name, value, fifo=topic.fifo, of_creation=False)
        kept = {**topic.attributes, name: checked}
    ctx.parts.topics.configure(topic.arn, kept)
    return {}

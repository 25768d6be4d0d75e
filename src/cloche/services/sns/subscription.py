"""Subscriptions: asked for, confirmed, listed, changed and ended.

docs.aws.amazon.com/sns/latest/api/API_Subscribe.html, API_ConfirmSubscription.html, API_Unsubscribe.html
"""

from __future__ import annotations

import re
from typing import Any, Final

from cloche.aws.arn import Arn
from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.topics import Subscription, Topic
from cloche.engines.topics import subscriptions as rows
from cloche.engines.topics.endpoints import loopback_host
from cloche.foundation.errors import AlreadyExists, Invalid, NotFound, NotSupported
from cloche.services.sns import subscription_attributes as attributes
from cloche.services.sns.access import topic_at
from cloche.services.sns.errors import invalid
from cloche.storage.metadata import records

PAGE: Final = 100  # API_ListSubscriptions.html
PENDING: Final = "pending confirmation"
ENDPOINT_MAX: Final = 2_048
REFUSED: Final = {
    "sms": "sends no text messages",
    "application": "sends no push notifications to phones",
    "firehose": "has no Amazon Data Firehose",
}
_MAIL: Final = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
_ID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TOKEN: Final = re.compile(r"[0-9a-f]{32,512}")


@operation("Subscribe")
def subscribe(ctx: Context, request: Members) -> Members:
    topic = topic_at(ctx, request["TopicArn"], "Subscribe")
    protocol, endpoint = request["Protocol"], request.get("Endpoint") or ""
    is_confirmed = _check_endpoint(ctx, topic, protocol, endpoint)
    try:
        given = attributes.merged(ctx, topic, protocol, endpoint, {}, request.get("Attributes") or {})
        made: Subscription = ctx.parts.topics.subscribe(
            topic, ctx.account, protocol, endpoint, given, ctx.caller.arn, confirmed=is_confirmed
        )
    except (Invalid, AlreadyExists) as error:
        raise invalid(f"Attributes Reason: {error.message}") from None
    tells = request.get("ReturnSubscriptionArn") or not made.pending
    return {"SubscriptionArn": made.arn if tells else PENDING}


def _check_endpoint(ctx: Context, topic: Topic, protocol: str, endpoint: str) -> bool:
    """Whether nobody needs to confirm it: queues and functions of the subscriber's own. Raises ``AwsError``."""
    if protocol in REFUSED:
        raise NotSupported(f"Subscriptions by {protocol} are not supported: Cloche {REFUSED[protocol]}.")
    if protocol not in ("sqs", "lambda", "http", "https", "email", "email-json"):
        raise invalid(f"Amazon SNS does not support this protocol string: {protocol}")
    if topic.fifo and protocol != "sqs":
        # docs.aws.amazon.com/sns/latest/dg/fifo-topic-message-delivery.html: queues alone
        raise invalid("Invalid parameter: Endpoint Reason: Please use FIFO SQS queue")
    if len(endpoint) > ENDPOINT_MAX:
        raise invalid("Endpoint")
    if protocol in ("sqs", "lambda"):
        return _check_arn(ctx, topic, protocol, endpoint)
    if protocol in ("http", "https"):
        if not endpoint.startswith(f"{protocol}://"):
            raise invalid("Endpoint must match the specified protocol")
        try:
            loopback_host(endpoint)
        except Invalid as error:
            raise invalid(f"Endpoint Reason: {error.message}") from None
    elif not _MAIL.fullmatch(endpoint):
        raise invalid("Email address")
    return False


def _check_arn(ctx: Context, topic: Topic, protocol: str, endpoint: str) -> bool:
    arn = Arn.try_parse(endpoint)
    if arn is None or arn.service != protocol or (protocol == "lambda" and not arn.resource.startswith("function:")):
        raise invalid(f"{'SQS' if protocol == 'sqs' else 'Lambda'} endpoint ARN")
    if arn.region != ctx.region:
        raise NotSupported(f"Cloche delivers within a region only; {endpoint} is in another.")
    if arn.resource.endswith(".fifo") and not topic.fifo:
        raise invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
        )
    return bool(arn.account == ctx.account)


@operation("ConfirmSubscription")
def confirm_subscription(ctx: Context, request: Members) -> Members:
    """Asked for by whoever holds the token, mostly without a signature."""
    arn, token = request["TopicArn"], request["Token"]
    if Arn.try_parse(arn) is None or arn.count(":") != 5 or (not ctx.caller.anonymous and f":{ctx.region}:" not in arn):
        raise invalid("Topic")
    if not _TOKEN.fullmatch(token):
        raise AwsError("InvalidParameter", "Invalid token")
    wants_signature = (request.get("AuthenticateOnUnsubscribe") or "").lower() == "true"
    if wants_signature and ctx.caller.anonymous:
        raise AwsError("AuthorizationError", "AuthenticateOnUnsubscribe needs a signed request", 403)
    try:
        found: Subscription = ctx.parts.topics.confirm(
            arn, token, authenticated=not ctx.caller.anonymous, signed_unsubscribe=wants_signature
        )
    except NotFound:
        raise invalid("Token") from None
    return {"SubscriptionArn": found.arn}


@operation("Unsubscribe")
def unsubscribe(ctx: Context, request: Members) -> Members:
    """One that is not there is as good as ended. Who did not sign, as the link in every notification does not, may
    where the confirmation did not forbid it; the endpoint is told, and how to come back."""
    _checked_arn(request["SubscriptionArn"])
    try:
        found: Subscription = ctx.parts.topics.subscription(request["SubscriptionArn"])
    except NotFound:
        return {}
    is_owners = ctx.account in (found.account, found.topic_arn.split(":")[4])
    if not is_owners and (not ctx.caller.anonymous or found.signed_unsubscribe):
        raise AwsError(
            "AuthorizationError",
            f"User: {ctx.caller.arn or 'anonymous'} is not authorized to perform: SNS:Unsubscribe on resource: "
            f"{found.arn}",
            403,
        )
    ctx.parts.topics.unsubscribe(found, tell=ctx.caller.anonymous and found.protocol not in ("sqs", "lambda"))
    return {}


@operation("GetSubscriptionAttributes", reads=True)
def get_subscription_attributes(ctx: Context, request: Members) -> Members:
    return {"Attributes": attributes.shown(ctx, _owned(ctx, request["SubscriptionArn"]))}


@operation("SetSubscriptionAttributes")
def set_subscription_attributes(ctx: Context, request: Members) -> Members:
    found = _owned(ctx, request["SubscriptionArn"])
    topic = ctx.parts.topics.get(found.topic_arn)
    given = {request["AttributeName"]: request.get("AttributeValue") or ""}
    try:
        kept = attributes.merged(ctx, topic, found.protocol, found.endpoint, found.attributes, given)
    except Invalid as error:
        raise invalid(error.message) from None
    ctx.parts.topics.set_subscription(found.arn, kept)
    return {}


@operation("ListSubscriptions", reads=True)
def list_subscriptions(ctx: Context, request: Members) -> Members:
    return _listed(ctx, request, {"account": ctx.account, "region": ctx.region})


@operation("ListSubscriptionsByTopic", reads=True)
def list_subscriptions_by_topic(ctx: Context, request: Members) -> Members:
    topic = topic_at(ctx, request["TopicArn"], "ListSubscriptionsByTopic")
    return _listed(ctx, request, {"topic_arn": topic.arn})


def _listed(ctx: Context, request: Members, conditions: dict[str, str]) -> Members:
    reader, token = ctx.parts.database.reader, request.get("NextToken")
    secret, question = records.page_secret(reader), ["ListSubscriptions", *conditions.values()]
    after: tuple[Any, ...] | None = tokens.unseal(secret, question, token) if token else None
    found, last = rows.page(reader, conditions, after, PAGE)
    answer: Members = {"Subscriptions": [_entry(each) for each in found]}
    if last is not None:
        answer["NextToken"] = tokens.seal(secret, question, last)
    return answer


def _entry(subscription: Subscription) -> Members:
    return {
        "SubscriptionArn": "PendingConfirmation" if subscription.pending else subscription.arn,
        "Owner": subscription.account,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic_arn,
    }


def _checked_arn(arn: str) -> None:
    if not arn:
        raise invalid("SubscriptionArn Reason: no value for required parameter")
    parts = arn.split(":")
    if len(parts) < 6:
        raise invalid(f"SubscriptionArn Reason: An ARN must have at least 6 elements, not {len(parts)}")
    if len(parts) != 7 or not _ID.fullmatch(parts[6]):
        raise invalid("SubscriptionId")


def _owned(ctx: Context, arn: str) -> Subscription:
    """The subscription, for its owner or the topic's. Raises ``NotFound``."""
    _checked_arn(arn)
    found: Subscription = ctx.parts.topics.subscription(arn)
    if ctx.account not in (found.account, found.topic_arn.split(":")[4]):
        raise NotFound("Subscription does not exist")
    return found

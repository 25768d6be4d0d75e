"""Event notifications of a bucket: who is told of what. How they are told is in ``engines/object_events``.

docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html. Words: recorded of S3 by
localstack/localstack, tests/aws/services/s3/test_s3_notifications_sqs.snapshot.json; of overlapping rules:
aws-solutions/aws-waf-security-automations#49; of permissions: aws/aws-cli#8162.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from cloche.aws.arn import Arn
from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.aws.protocols.rest_xml import host_id
from cloche.engines.object_events import Rule, names_event, overlapping, rules_of
from cloche.engines.object_events.rules import EVENTS, KINDS
from cloche.engines.object_events.told import first_message
from cloche.foundation.errors import ClocheError, NotFound
from cloche.services.s3.errors import invalid_argument, not_implemented, s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of
from cloche.storage.objects import Bucket
from cloche.storage.objects.happened import NOTIFICATION

_ARGUMENTS: Final = {
    "QueueConfigurations": ("Queue", "sqs", "queue"),
    "TopicConfigurations": ("Topic", "sns", "topic"),
    "LambdaFunctionConfigurations": ("CloudFunction", "lambda", "function"),
}
"""The argument's name in an error, the service of its ARN, and what it is."""
_NEVER_HERE: Final = ("ObjectRestore:", "Replication:", "IntelligentTiering")
CONFIGURATIONS_MAX: Final = 100


@s3_operation("PutBucketNotificationConfiguration")
def put_bucket_notification_configuration(ctx: Context, request: Members) -> Members:
    """In place of all that was configured. Destinations are handed a first message, unless that is asked not to be."""
    given, bucket = request["NotificationConfiguration"], bucket_of(ctx, request)
    for kind in KINDS:
        for each in given.get(kind) or ():
            _check(kind, each)
            if not each.get("Id"):
                each["Id"] = secrets.token_urlsafe(36)
    rules = list(rules_of(given))
    if len(rules) > CONFIGURATIONS_MAX:
        raise s3_error("InvalidRequest", f"A bucket may have at most {CONFIGURATIONS_MAX} notification configurations.")
    if len({rule.id for rule in rules}) != len(rules):
        raise s3_error("InvalidArgument", "Same ID used for multiple configurations. IDs must be unique")
    if overlapping(rules):
        raise s3_error(
            "InvalidArgument",
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
            "overlapping for the same event type.",
        )
    if not request.get("SkipDestinationValidation"):
        _try_out(ctx, bucket, rules)
    kept = {name: value for name, value in given.items() if value or name == "EventBridgeConfiguration"}
    store_of(ctx).buckets.configure(bucket.name, NOTIFICATION, kept or None)
    return {}


@s3_operation("GetBucketNotificationConfiguration", reads=True)
def get_bucket_notification_configuration(ctx: Context, request: Members) -> Members:
    return dict(bucket_of(ctx, request).configuration.get(NOTIFICATION) or {})


def _check(kind: str, given: Mapping[str, Any]) -> None:
    """Raises ``AwsError``."""
    argument, service, _ = _ARGUMENTS[kind]
    if not given.get("Events"):
        raise s3_error("MalformedXML")
    text = given[KINDS[kind]]
    arn = Arn.try_parse(text)
    if arn is None or arn.service != service:
        raise invalid_argument(argument, text, "The ARN could not be parsed")
    if arn.resource.endswith(".fifo"):
        # docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
        raise invalid_argument(argument, text, "FIFO queues and topics are not supported for event notifications")
    for event in given["Events"]:
        name = event.removeprefix("s3:")
        if name.startswith(_NEVER_HERE):
            raise not_implemented("Event", f"{event} does not happen in Cloche")
        if not event.startswith("s3:") or not any(names_event(name, each) for each in EVENTS):
            raise invalid_argument("Event", event, "A specified event is not supported for notifications")
    seen: set[str] = set()
    for rule in ((given.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ():
        name = (rule.get("Name") or "").lower()
        if name not in ("prefix", "suffix"):
            raise invalid_argument(
                "FilterRule.Name", rule.get("Name"), "filter rule name must be either prefix or suffix"
            )
        if name in seen:
            raise invalid_argument("FilterRule.Name", name, f"Cannot specify more than one {name} rule in a filter.")
        seen.add(name)
        rule["Name"] = name.capitalize()


def _try_out(ctx: Context, bucket: Bucket, rules: Sequence[Rule]) -> None:
    """Raises ``AwsError`` that names each destination which is not there, or takes nothing; then none has a message."""
    request_id = ctx.request_id
    body = orjson.dumps(first_message(bucket.name, ctx.now.timestamp(), request_id, host_id(request_id))).decode()
    refused: dict[str, str] = {}

    def hand_out(tx: sqlite3.Connection) -> None:
        for arn in dict.fromkeys(rule.arn for rule in rules):
            try:
                _reach(ctx, tx, bucket, arn, body)
            except ClocheError as error:
                refused[arn] = _why(arn, error)
        if refused:
            raise _invalid(refused)

    ctx.parts.database.write(hand_out)


def _reach(ctx: Context, tx: sqlite3.Connection, bucket: Bucket, arn: str, body: str) -> None:
    events = ctx.parts.object_events
    if ":lambda:" not in arn:
        events.try_out(tx, bucket.account, bucket.name, arn, body)
        return
    tx.execute("SAVEPOINT function")  # a function gets no test event: only asked whether it would
    try:
        events.try_out(tx, bucket.account, bucket.name, arn, body)
    finally:
        tx.execute("ROLLBACK TO function")
        tx.execute("RELEASE function")


def _why(arn: str, error: ClocheError) -> str:
    if ":lambda:" in arn:
        return f"Not authorized to invoke function [{arn}]"
    what = "queue" if ":sqs:" in arn else "topic"
    if isinstance(error, NotFound):
        return f"The destination {what} does not exist"
    return f"Permissions on the destination {what} do not allow S3 to publish notifications from this bucket"


def _invalid(refused: Mapping[str, str]) -> AwsError:
    fields: dict[str, str] = {}
    for at, (arn, why) in enumerate(refused.items(), 1):
        fields |= {f"ArgumentName{at}": arn, f"ArgumentValue{at}": why}
    return s3_error("InvalidArgument", "Unable to validate the following destination configurations", **fields)

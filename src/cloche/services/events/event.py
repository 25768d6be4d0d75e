"""PutEvents, and patterns tried on events.

Codes of entries that are not taken: docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.events import Happening
from cloche.engines.events.rules import Bus
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche.services.events.errors import require_pattern
from cloche.services.events.naming import bus_to_put_on

REQUEST_BYTES_MAX: Final = 262_144
"""docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html, where it is also said what counts."""
_ENVELOPE: Final = ("id", "detail-type", "source", "account", "time", "region", "resources")


@operation("PutEvents")
def put_events(ctx: Context, request: Members) -> Members:
    """Entries that are wrong fail for themselves. An id means that the event's deliveries are on the disk."""
    if request.get("EndpointId"):
        raise NotSupported("PutEvents does not support global endpoints (EndpointId) in Cloche")
    entries: list[Members] = request["Entries"]
    if sum(map(_size, entries)) > REQUEST_BYTES_MAX:
        raise AwsError("ValidationException", "Total size of the entries in the request is over the limit.")
    answers: dict[int, Members] = {}
    of_buses: defaultdict[Bus, list[tuple[int, Happening]]] = defaultdict(list)
    for number, entry in enumerate(entries):
        try:
            of_buses[bus_to_put_on(ctx, entry.get("EventBusName"))].append((number, _happening(entry)))
        except AwsError as error:
            answers[number] = {"ErrorCode": error.code, "ErrorMessage": error.message}
        except (NotFound, Invalid) as error:
            answers[number] = {"ErrorCode": "InvalidArgument", "ErrorMessage": error.message}
    for bus, happened in of_buses.items():
        ids = ctx.parts.events.put(bus, [each for _, each in happened], ctx.account)
        answers |= {number: {"EventId": id} for (number, _), id in zip(happened, ids, strict=True)}
    failed = sum("ErrorCode" in answer for answer in answers.values())
    return {"FailedEntryCount": failed, "Entries": [answers[number] for number in range(len(entries))]}


def _happening(entry: Mapping[str, Any]) -> Happening:
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            raise AwsError(
                "InvalidArgument", f"Parameter {member} is not valid. Reason: {member} is a required argument."
            )
    if entry["Source"].startswith("aws."):
        raise AwsError("NotAuthorizedForSource", "Not authorized for the source.")
    detail = _object(entry["Detail"])
    if detail is None:
        raise AwsError("MalformedDetail", "Detail is malformed.")
    at = entry.get("Time")
    moment = at.timestamp() if isinstance(at, datetime) else at
    return Happening(entry["Source"], entry["DetailType"], detail, tuple(entry.get("Resources") or ()), moment)


def _object(text: str) -> dict[str, Any] | None:
    """``None`` for what is no JSON object, or cannot be handed on: half a surrogate pair, a number of more than 64
    bits (API_PutEvents.html), an abyss."""
    try:
        found = json.loads(text, parse_constant=_refuse)
        orjson.dumps(found)
    except (ValueError, RecursionError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _size(entry: Mapping[str, Any]) -> int:
    texts = [entry.get(member) or "" for member in ("Source", "DetailType", "Detail")]
    texts += entry.get("Resources") or []
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + (14 if entry.get("Time") else 0)


@operation("TestEventPattern", reads=True)
def test_event_pattern(ctx: Context, request: Members) -> Members:
    """The event needs all of the envelope (API_TestEventPattern.html)."""
    pattern = require_pattern(request["EventPattern"])
    event = _object(request["Event"])
    if event is None:
        raise AwsError("ValidationException", "Parameter Event is not valid.")
    for name in _ENVELOPE:
        if name not in event:
            raise AwsError("ValidationException", f"Parameter Event is not valid. Reason: {name} is a required field.")
    return {"Result": pattern.matches(event)}

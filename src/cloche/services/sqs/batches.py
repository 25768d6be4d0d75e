"""What all batches have in common: their entries' rules, and an answer for each entry.

docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Members

ENTRIES_MAX: Final = 10
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


def entries_of(request: Members, kind: str) -> Sequence[Mapping[str, Any]]:
    """Raises ``AwsError`` for a batch that is wrong as a whole."""
    entries: Sequence[Mapping[str, Any]] = request["Entries"]
    if not entries:
        raise AwsError("EmptyBatchRequest", f"There should be at least one {kind} in the request.")
    if len(entries) > ENTRIES_MAX:
        raise AwsError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {ENTRIES_MAX}. You have sent {len(entries)}.",
        )
    seen: set[str] = set()
    for entry in entries:
        if not _ID.fullmatch(entry["Id"]):
            raise AwsError(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long.",
            )
        if entry["Id"] in seen:
            raise AwsError("BatchEntryIdsNotDistinct", f"Id {entry['Id']} repeated.")
        seen.add(entry["Id"])
    return entries


def failed(id: str, error: AwsError) -> Members:
    return {"Id": id, "SenderFault": True, "Code": error.code, "Message": error.message}

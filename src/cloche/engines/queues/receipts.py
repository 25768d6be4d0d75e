"""Receipt handles: which message of which queue, and under which of its receives.

They are told to clients and come back, so reading one trusts nothing: it is found by its parts or not at all.
"""

from __future__ import annotations

import base64
import binascii

from cloche.foundation.errors import Invalid


def write(queue_id: int, message: int, receipt: str) -> str:
    return base64.b64encode(f"{queue_id}:{message}:{receipt}".encode()).decode()


def read(queue_id: int, handle: str) -> tuple[int, str]:
    """(message, receipt). Raises ``Invalid`` for what is no handle, or another queue's."""
    try:
        of_queue, message, receipt = base64.b64decode(handle.encode("ascii"), validate=True).decode().split(":")
        if int(of_queue) != queue_id or not 0 < int(message) < 2**63:
            raise ValueError
    except (binascii.Error, UnicodeError, ValueError):
        raise Invalid(
            f'The input receipt handle "{handle[:200]}" is not a valid receipt handle.', field="ReceiptHandle"
        ) from None
    return int(message), receipt

"""How much may run at once: of all functions together, of a function with a reservation, of the others.

AWS's limit of an account is a quota; here it is what this machine's memory has room for, so GetAccountSettings tells
the truth about it.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Final

from cloche.engines.functions.outcome import Throttled
from cloche.engines.functions.plan import Owner
from cloche.foundation.limits import MIB

CONCURRENCY_MIN: Final = 20
CONCURRENCY_MAX: Final = 1_000
"""docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: the default quota."""
UNRESERVED_MIN: Final = 10
"""What AWS leaves unreserved in accounts whose quota is small (the words of its refusal: "minimum value of [10]")."""
BYTES_EACH: Final = 128 * MIB


def concurrency_max() -> int:
    """Environments that this machine has memory for."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(CONCURRENCY_MIN, min(CONCURRENCY_MAX, memory // 2 // BYTES_EACH))


class Running:
    """Invocations under way. On the loop only."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._of_function: Counter[tuple[str, str, str]] = Counter()
        self._unreserved: Counter[tuple[str, str]] = Counter()

    def begin(self, owner: Owner, reserved: int | None, reserved_together: int) -> None:
        """Raises ``Throttled``. ``reserved_together`` is of the whole account and region."""
        home = owner.account, owner.region
        if reserved is not None:
            if self._of_function[owner.key] >= reserved:
                raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        elif self._unreserved[home] >= self.most - reserved_together:
            raise Throttled()
        self._of_function[owner.key] += 1
        if reserved is None:
            self._unreserved[home] += 1

    def end(self, owner: Owner, reserved: int | None) -> None:
        """``reserved`` as ``begin`` was told."""
        home = owner.account, owner.region
        self._of_function[owner.key] -= 1
        if self._of_function[owner.key] <= 0:
            del self._of_function[owner.key]
        if reserved is None:
            self._unreserved[home] -= 1

    def of(self, owner: Owner) -> int:
        return self._of_function[owner.key]

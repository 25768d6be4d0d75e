"""The API port of the engines (``foundation/api.py``), over ``Perform``."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Caller
from cloche.engines.identity import Credentials, Identity
from cloche.foundation.api import Behalf, Refused
from cloche.foundation.clock import Clock
from cloche.foundation.errors import ClocheError
from cloche.server.perform import Perform

FRESH_SECONDS: Final = 900.0
"""A role's credentials that end sooner are not used again."""
HELD_MAX: Final = 1000


class ApiForEngines:
    """Made before the chain that it enters: ``bind`` once that is there, before the reconciler starts."""

    def __init__(self, identity: Identity, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._perform: Perform | None = None
        self._held: dict[Behalf, Credentials] = {}
        self._lock = threading.Lock()

    def bind(self, perform: Perform) -> None:
        self._perform = perform

    def call(
        self,
        behalf: Behalf,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        origin: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        assert self._perform is not None
        try:
            caller = self._caller(behalf)
            return self._perform.from_thread(service, operation, dict(request), caller, behalf.region, origin or {})
        except AwsError as error:
            raise Refused(error.code, error.message) from error

    def _caller(self, behalf: Behalf) -> Caller:
        found = self._credentials(behalf)
        return Caller(found.account, found.principal_arn, found.user_id, found.access_key)

    def _credentials(self, behalf: Behalf) -> Credentials:
        if not behalf.role:
            return self._identity.root_credentials(behalf.account)
        with self._lock:
            held = self._held.get(behalf)
        ends = None if held is None else held.expires_at
        if held is not None and ends is not None and ends.timestamp() - self._clock.real() > FRESH_SECONDS:
            return held
        try:
            taken = self._identity.assume_role(
                behalf.role, behalf.session, service=behalf.principal, source_arn=behalf.source_arn
            )
        except ClocheError as error:
            raise Refused("AccessDeniedException", error.message) from error
        with self._lock:
            if len(self._held) >= HELD_MAX:
                self._held.clear()
            self._held[behalf] = taken
        return taken

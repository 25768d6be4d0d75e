"""Where the chain asks whether a caller may: the identity engine decides, this puts it into words.

The code is each service's own (``ErrorCodes.denied``). S3, whose buckets have policies and lists of their own and
which serves people who did not sign, decides for itself (``services/s3/access``); everybody else names the action.
"""

from __future__ import annotations

from collections.abc import Callable

from cloche.aws.model.load import service_index
from cloche.aws.operation import Caller, Context, Members, Operation
from cloche.engines.identity.authorizer import Asked, decide, denied_message
from cloche.engines.identity.policy import Decision, Outcome
from cloche.foundation.errors import Denied

Decide = Callable[[Asked], Decision]
Used = Callable[[str, str, str], None]
"""Told each access key that was used, for which service and region."""
_OTHER_PREFIXES = {"cloudwatch": "cloudwatch"}
"""It signs as ``monitoring``: docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html"""


class Authorization:
    def __init__(self, decide_: Decide = decide, used: Used | None = None) -> None:
        self._decide = decide_
        self._used = used
        self._prefixes: dict[str, str] = {}

    def __call__(self, context: Context, service: str, operation: Operation, members: Members) -> None:
        """Raises ``Denied`` (of S3 an ``AwsError``) where the caller may not."""
        if service == "s3" and self._decide is decide:
            from cloche.services.s3.access.authorizer import authorize

            return authorize(context, operation.name, members)
        return self.may(context.caller, context.region, service, operation.name)

    def may(self, caller: Caller, region: str, service: str, operation: str) -> None:
        """The same of a service that leaves it to us: all but S3."""
        prefix = self._prefixes.get(service) or self._prefix(service)
        asked = Asked(caller.arn, caller.access_key, caller.anonymous, f"{prefix}:{operation}")
        decision = self._decide(asked)
        if self._used is not None:
            self._used(caller.access_key, prefix, region)
        if decision.outcome is not Outcome.ALLOWED:
            raise Denied("Access Denied" if service == "s3" else denied_message(asked, decision))

    def _prefix(self, service: str) -> str:
        """The service's name in IAM's actions: that of its signature's scope (``sagemaker`` for its runtime)."""
        known = self._prefixes.get(service)
        if known is None:
            metadata = service_index().get(service, {})
            signed_as = metadata.get("signingName") or metadata.get("endpointPrefix") or service
            known = _OTHER_PREFIXES.get(service, str(signed_as))
            self._prefixes[service] = known
        return known

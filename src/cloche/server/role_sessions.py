"""Programs of the owner's that act as a role, as a notebook in SageMaker Studio does.

POST /_cloche/role-sessions   {"role": name or ARN}    the variables by which the SDKs find the role's keys

What it hands out is what a job is given: an address and a token. The SDKs come back for new keys before those they have
expire, so a notebook may be open for days.
"""

from __future__ import annotations

from typing import Final

from cloche.aws.http import HttpRequest
from cloche.engines.identity import Identity
from cloche.foundation.errors import Conflict, Denied, NotFound
from cloche.foundation.ids import short_id
from cloche.server.job_tokens import JobTokens
from cloche.server.own_routes import OneRoute, members_of, text_of

SESSION_NAME: Final = "SageMaker"
"""As Studio calls its own (``assumed-role/<role>/SageMaker``)."""
GIVEN: Final = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN")


class RoleSessionRoutes(OneRoute):
    path = "/_cloche/role-sessions"

    def __init__(self, identity: Identity, tokens: JobTokens, token: str) -> None:
        super().__init__(token)
        self._identity, self._tokens = identity, tokens

    def work(self, request: HttpRequest) -> object:
        asked = text_of(members_of(request.body), "role")
        role = self._identity.role(asked)
        if role is None:
            raise NotFound(f"there is no role {asked}")
        try:
            self._identity.job_credentials(role.arn, SESSION_NAME)
        except Denied:
            raise Conflict(f"{role.arn} does not trust sagemaker.amazonaws.com") from None
        variables = self._tokens.environment(f"session-{short_id()}", role.arn, SESSION_NAME)
        return {name: variables[name] for name in GIVEN}

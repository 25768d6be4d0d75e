"""Programs of the owner's that act as a role, as a notebook in SageMaker Studio does.

POST /_cloche/role-sessions   {"role": name or ARN, "process": pid}    the variables by which the SDKs find its keys

What it hands out is what a job is given: an address and a token. The SDKs come back for new keys before those they have
expire, so a notebook may be open for days. The token is void once that process has gone: whoever is next to ask for one
has those of the ended forgotten.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from cloche.aws.http import HttpRequest
from cloche.engines.identity import Identity
from cloche.foundation.errors import Conflict, Denied, Invalid, NotFound
from cloche.foundation.ids import short_id
from cloche.server.directory import process_start
from cloche.server.job_tokens import JobTokens
from cloche.server.own_routes import OneRoute, members_of, text_of

SESSION_NAME: Final = "SageMaker"
"""As Studio calls its own (``assumed-role/<role>/SageMaker``)."""
PREFIX: Final = "session-"
GIVEN: Final = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN")


class RoleSessionRoutes(OneRoute):
    path = "/_cloche/role-sessions"

    def __init__(self, identity: Identity, tokens: JobTokens, token: str) -> None:
        super().__init__(token)
        self._identity, self._tokens = identity, tokens

    def work(self, request: HttpRequest) -> object:
        given = members_of(request.body)
        asked, process = text_of(given, "role"), given.get("process")
        mark = _mark(process) if isinstance(process, int) and process > 0 else ""
        if not mark:
            raise Invalid("process is no process of this machine", field="process")
        role = self._identity.role(asked)
        if role is None:
            raise NotFound(f"there is no role {asked}")
        try:
            self._identity.job_credentials(role.arn, SESSION_NAME)
        except Denied:
            raise Conflict(f"{role.arn} does not trust sagemaker.amazonaws.com") from None
        self._forget_ended()
        variables = self._tokens.environment(f"{PREFIX}{process}-{mark}-{short_id()}", role.arn, SESSION_NAME)
        return {name: variables[name] for name in GIVEN}

    def _forget_ended(self) -> None:
        for name in self._tokens.names(PREFIX):
            pid, mark = name.removeprefix(PREFIX).split("-")[:2]
            if _mark(int(pid)) != mark:
                self._tokens.forget(name)


def _mark(process: int) -> str:
    """Of its start, so that another with its number is not taken for it; empty where there is none."""
    start = process_start(process)
    return sha256(start.encode()).hexdigest()[:16] if start else ""

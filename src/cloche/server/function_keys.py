"""The keys of a function's role, as variables of its environment.

Source: docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloche.engines.identity import Identity

LAMBDA: Final = "lambda.amazonaws.com"
SESSION_CHARACTERS_MIN: Final = 2


class FunctionKeys:
    """``url`` is the server's as seen from inside."""

    def __init__(self, identity: Identity, url: str) -> None:
        self._identity = identity
        self._url = url

    def environment(self, role_arn: str, session_name: str) -> Mapping[str, str]:
        """Keys for twelve hours. Raises ``NotFound`` for the role, ``Denied`` where it does not trust Lambda."""
        session = session_name.ljust(SESSION_CHARACTERS_MIN, "-")
        found = self._identity.assume_role(role_arn, session, service=LAMBDA)
        return {
            "AWS_ACCESS_KEY_ID": found.access_key,
            "AWS_SECRET_ACCESS_KEY": found.secret_key,
            "AWS_SESSION_TOKEN": found.session_token or "",
            "AWS_ENDPOINT_URL": self._url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

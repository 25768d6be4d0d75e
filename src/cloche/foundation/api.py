"""How an engine acts through the API: as a tuning job creates training jobs, and a pipeline's step whatever it is for.

There is one way in. What an engine asks for is validated, authorized and handled as if its role had asked over the
wire; ``server`` hands engines the port, so that they need not know the services.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cloche.foundation.errors import ClocheError


@dataclass(frozen=True, slots=True)
class Behalf:
    """Who asks: the session of a role of ``account``; without a role the account itself."""

    account: str
    region: str
    role: str = ""
    session: str = "SageMaker"
    principal: str = "sagemaker.amazonaws.com"
    """The service that takes the role: whom its trust policy has to name."""
    source_arn: str = ""
    """The thing for which it does, where the policy asks for it."""


class Refused(ClocheError):
    """The API's own answer to what was asked: ``code`` and ``message`` as a client would see them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Api(Protocol):
    def call(
        self,
        behalf: Behalf,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        origin: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The members of the answer; times are datetimes, as the model says. From a worker thread only.

        ``origin`` are members a create keeps that no client could send, such as ``TuningJobArn``: descriptions show
        them where their shape has them. Raises ``Refused``; also where the role cannot be taken.
        """
        ...

"""Who may not is told so in the service's own code, from one place."""

from __future__ import annotations

from typing import Any

import pytest

from cloche.aws.errors import translate
from cloche.aws.operation import Caller
from cloche.engines.identity.policy import Decision, Outcome
from cloche.foundation.errors import Denied
from cloche.server.authorization import Authorization
from cloche.server.dispatch import Dispatch

WHO = "arn:aws:iam::123456789012:user/nobody"


class Asking:
    caller = Caller("123456789012", WHO, "AIDA", "AKIA")
    region = "us-east-1"


class Doing:
    name = "ListThings"


@pytest.mark.parametrize(
    ("service", "code", "status", "message"),
    [
        ("s3", "AccessDenied", 403, "Access Denied"),
        ("iam", "AccessDenied", 403, "iam:ListThings"),
        ("sts", "AccessDenied", 403, "sts:ListThings"),
        ("cloudwatch", "AccessDenied", 403, "cloudwatch:ListThings"),
        ("logs", "AccessDeniedException", 400, "logs:ListThings"),
        ("sagemaker", "AccessDeniedException", 400, "sagemaker:ListThings"),
        ("sagemaker-runtime", "AccessDeniedException", 403, "sagemaker:ListThings"),
    ],
)
def test_each_service_denies_in_its_own_code(service: str, code: str, status: int, message: str) -> None:
    authorize = Authorization(lambda asked: Decision(Outcome.IMPLICIT_DENY, "because no policy allows it"))
    asking: Any = Asking()
    doing: Any = Doing()
    offered = Dispatch().offered(service)
    assert offered is not None
    with pytest.raises(Denied) as caught:
        authorize(asking, service, doing, {})
    refused = translate(caught.value, offered.service.errors)
    assert (refused.code, refused.status) == (code, status)
    assert message in refused.message
    if service != "s3":
        assert refused.message == (
            f"User: {WHO} is not authorized to perform: {message} on resource: * because no policy allows it"
        )


def test_those_who_may_pass() -> None:
    asking: Any = Asking()
    doing: Any = Doing()
    Authorization(lambda asked: Decision(Outcome.ALLOWED))(asking, "s3", doing, {})

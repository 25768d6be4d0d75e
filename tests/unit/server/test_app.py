"""The chain with a small service in it: order of the stages, refusals, what is told and what is not."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloche.aws.errors import AwsError
from cloche.aws.operation import Answer, Context, Members, Operation, Service
from cloche.aws.signing.sigv4 import Verifier
from cloche.foundation.bus import Bus, RequestServed
from cloche.foundation.clock import SystemClock
from cloche.foundation.errors import NotFound, NotSupported
from cloche.foundation.settings import Settings
from cloche.server.admin import Admin
from cloche.server.app import Chain
from cloche.server.authorization import Authorization
from cloche.server.dispatch import Offered
from cloche.server.guard import Guard
from cloche.server.perform import Perform
from cloche.server.running import Runner

ROOT = SimpleNamespace(
    access_key="AKIAUNITTESTUNITTEST",
    secret_key="secret",
    session_token=None,
    account="123456789012",
    principal_arn="arn:aws:iam::123456789012:root",
    user_id="123456789012",
    expires_at=None,
)


class World:
    """A chain whose SageMaker has the operations given."""

    def __init__(self, **handlers: Any) -> None:
        self.bus = Bus()
        self.served: list[RequestServed] = []
        self.bus.listen(RequestServed, self.served.append)
        operations = {name: Operation(name, handler) for name, handler in handlers.items()}
        offered = {"sagemaker": Offered(Service("sagemaker", ()), Path(), operations)}
        self.dispatch: Any = SimpleNamespace(ready=offered.get, offered=offered.get)
        self.chain = Chain(
            settings=Settings(Path()),
            clock=SystemClock(),
            bus=self.bus,
            parts=None,
            verifier=Verifier({ROOT.access_key: ROOT}.get),  # type: ignore[arg-type]
            guard=Guard("127.0.0.1"),
            dispatch=self.dispatch,
            authorize=Authorization(),
            runner=Runner(2),
            admin=Admin(None),
        )

    def ask(self, operation: str, body: bytes = b"{}", *, signed: bool = True, **headers: str) -> tuple[int, Any, Any]:
        """Status, headers and members of the answer."""
        given = {
            "Host": "127.0.0.1",
            "X-Amz-Target": f"SageMaker.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
            "Content-Length": str(len(body)),
        }
        request = AWSRequest("POST", "http://127.0.0.1/", given, body)
        if signed:
            SigV4Auth(Credentials(ROOT.access_key, ROOT.secret_key), "sagemaker", "eu-west-1").add_auth(request)
        lines = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
        lines += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http",
            "method": "POST",
            "raw_path": b"/",
            "path": "/",
            "query_string": b"",
            "headers": lines,
            "scheme": "http",
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.chain(scope, receive, send))
        start = sent[0]
        whole = b"".join(message["body"] for message in sent[1:])
        return start["status"], dict(start["headers"]), orjson.loads(whole or b"null")


def test_an_answer() -> None:
    heard: list[Context] = []

    def list_models(ctx: Context, request: Members) -> Members:
        heard.append(ctx)
        return {"Models": [], "Undeclared": "stays here"}

    world = World(ListModels=list_models)
    status, headers, members = world.ask("ListModels")
    assert (status, members) == (200, {"Models": []})
    assert heard[0].region == "eu-west-1"
    assert heard[0].caller.arn == ROOT.principal_arn
    assert headers[b"x-amzn-requestid"].decode() == heard[0].request_id
    served = world.served[0]
    assert (served.service, served.operation, served.status, served.code) == ("sagemaker", "ListModels", 200, "")
    assert served.request_id == heard[0].request_id


def test_a_status_and_headers_of_the_handlers_own() -> None:
    answer = Answer({"Models": []}, 206, (("x-further", "1"),))
    status, headers, _ = World(ListModels=lambda ctx, request: answer).ask("ListModels")
    assert (status, headers[b"x-further"]) == (206, b"1")


@pytest.mark.parametrize(
    ("raised", "status", "code", "message"),
    [
        (AwsError("ResourceLimitExceeded", "too many"), 400, "ResourceLimitExceeded", "too many"),
        (NotFound("there is none", detail="row 7"), 400, "ResourceNotFound", "there is none"),
        (NotSupported("Pipe mode is not supported"), 400, "ValidationException", "Pipe mode is not supported"),
    ],
)
def test_what_handlers_raise(raised: Exception, status: int, code: str, message: str) -> None:
    def fails(ctx: Context, request: Members) -> Members:
        raise raised

    world = World(ListModels=fails)
    answered, _, members = world.ask("ListModels")
    assert answered == status
    assert members["__type"].rpartition("#")[2] == code
    assert message in str(members)
    assert "row 7" not in str(members)
    assert world.served[0].code == code


def test_what_nobody_foresaw(caplog: pytest.LogCaptureFixture) -> None:
    def fails(ctx: Context, request: Members) -> Members:
        raise RuntimeError("the secret inside")

    status, headers, members = World(ListModels=fails).ask("ListModels")
    assert status == 500
    assert "secret" not in str(members)
    assert headers[b"x-amzn-requestid"].decode() in caplog.text
    assert "the secret inside" in caplog.text


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("ListModels", b"{", "SerializationException"),
        ("ListModels", b'{"MaxResults": 0}', "ValidationException"),
        ("MakeCoffee", b"{}", "UnknownOperationException"),
        ("ListApps", b"{}", "UnknownOperationException"),
    ],
)
def test_refused_before_the_handler(operation: str, body: bytes, code: str) -> None:
    def never(ctx: Context, request: Members) -> Members:
        raise AssertionError("the handler was reached")

    status, _, members = World(ListModels=never).ask(operation, body)
    assert (status, members["__type"].rpartition("#")[2]) == (400, code)


def test_the_signature_comes_before_the_body_is_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cloche")
    world = World(ListModels=lambda ctx, request: {"Models": []})
    status, headers, members = world.ask("ListModels", b"{", signed=False)
    assert (status, members["__type"].rpartition("#")[2]) == (403, "MissingAuthenticationTokenException")
    assert headers[b"connection"] == b"close"
    assert world.ask("ListModels", origin="https://evil.example")[0] == 403


def test_perform_enters_after_parsing() -> None:
    def list_models(ctx: Context, request: Members) -> Members:
        if request.get("NameContains") == "none":
            raise NotFound("there is none")
        return {"Models": [], "NextToken": ctx.caller.arn}

    world = World(ListModels=list_models)
    perform = Perform(world.chain)
    from cloche.aws.signing.sigv4 import caller_of

    caller = caller_of(ROOT)  # type: ignore[arg-type]

    def ask(operation: str, **members: Any) -> Any:
        return asyncio.run(perform.perform("sagemaker", operation, members, caller))

    assert ask("ListModels")["NextToken"] == ROOT.principal_arn
    for operation, members, code in (
        ("ListModels", {"MaxResults": 0}, "ValidationException"),
        ("ListModels", {"NameContains": "none"}, "ResourceNotFound"),
        ("ListApps", {}, "UnknownOperationException"),
    ):
        with pytest.raises(AwsError) as caught:
            ask(operation, **members)
        assert caught.value.code == code


def test_what_is_imported_late_waits_until_the_engines_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are imported in a thread of their own, and lead to the same packages."""
    seen: list[str] = []

    class Late(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name != "Registry":
                raise AttributeError(name)
            seen.append("registry")
            return lambda chain: name

    monkeypatch.setitem(sys.modules, "cloche.server.registry.registry", Late("late"))
    for ask in ("images", "sagemaker", "sts"):
        world = World()
        world.chain.load = lambda: seen.append("engines")
        world.dispatch.ready = {}.get
        world.dispatch.offered = seen.append
        asyncio.run(world.chain._images() if ask == "images" else world.chain.offered(ask))
    assert seen == ["engines", "registry", "engines", "sagemaker", "sts"], "what comes early needs no engine"

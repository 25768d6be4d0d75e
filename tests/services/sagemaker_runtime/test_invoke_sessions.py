"""Stateful sessions through boto3: a request finds the instance that holds its session, as long as there is one."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from runtime_requests import SKLEARN, Hosting, archive, refused, unique

SCRIPT = """
import json, os, secrets, time

HOME = secrets.randbits(40)

def model_fn(model_dir):
    return {}

def transform_fn(sessions, body, content_type, accept, context):
    asked = json.loads(body)
    if asked.get("die"):
        os._exit(1)
    id = context.get_request_header(0, "X-Amzn-SageMaker-Session-Id")
    if id == "NEW_SESSION":
        id = "session-" + secrets.token_hex(4)
        sessions[id] = 0
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + asked.get("seconds", 300)))
        says = asked.get("header", f"{id}; Expires={ends}")
        context.set_response_header(0, "X-Amzn-SageMaker-New-Session-Id", says)
    if asked.get("close"):
        context.set_response_header(0, "X-Amzn-SageMaker-Closed-Session-Id", id)
    if id in sessions:
        sessions[id] += 1
    return json.dumps([HOME, sessions.get(id)]), "application/json"
"""
VARIABLES = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


class Talk:
    def __init__(self, hosting: Hosting, endpoint: str) -> None:
        self.hosting, self.endpoint = hosting, endpoint

    def ask(self, session: str | None = None, **asked: Any) -> tuple[list[int], dict[str, Any]]:
        """Which instance, the count of the session's requests, and the whole answer."""
        given = {} if session is None else {"SessionId": session}
        answer = self.hosting.runtime.invoke_endpoint(
            EndpointName=self.endpoint, Body=json.dumps(asked), ContentType="application/json", **given
        )
        return json.loads(answer["Body"].read()), answer

    def opened(self, **asked: Any) -> str:
        said = self.ask("NEW_SESSION", **asked)[1]["NewSessionId"]
        return str(said.partition(";")[0])

    def refusal(self, session: str, **asked: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as error:
            self.ask(session, **asked)
        return refused(error)


@pytest.mark.slow
def test_sessions_stay_with_their_instance(start_server: Callable[..., Any]) -> None:
    server = start_server()
    hosting = Hosting(server.client)
    packed = hosting.put(archive({"code/inference.py": SCRIPT.encode()}))
    model = hosting.model(packed, image=SKLEARN, environment=VARIABLES)
    name = unique("sessions")
    config = hosting.config({"VariantName": "All", "ModelName": model, "InitialInstanceCount": 2})
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    assert hosting.settled(name)["EndpointStatus"] == "InService"
    talk = Talk(hosting, name)

    assert len({talk.ask()[0][0] for _ in range(10)}) == 2, "both instances answer what has no session"
    sessions = [talk.opened() for _ in range(4)]
    homes = {session: talk.ask(session)[0][0] for session in sessions}
    assert len(set(homes.values())) == 2, "new sessions are shared out"
    for session, home in homes.items():
        assert talk.ask(session)[0] == [home, 3]
    stream = hosting.runtime.invoke_endpoint_with_response_stream(
        EndpointName=name, Body="{}", ContentType="application/json", SessionId=sessions[0]
    )
    (event,) = stream["Body"]
    stream["Body"].close()
    assert json.loads(event["PayloadPart"]["Bytes"]) == [homes[sessions[0]], 4]

    server.stop(signal.SIGKILL)
    server.start()
    talk = Talk(Hosting(server.client), name)
    assert talk.ask(sessions[0])[0] == [homes[sessions[0]], 5], "model servers outlive the server, sessions with them"

    assert talk.ask(sessions[0], close=1)[1]["ClosedSessionId"] == sessions[0]
    code, message = talk.refusal(sessions[0])
    assert code == "ValidationError" and "has no session of that id" in message
    assert talk.refusal("never-was")[0] == "ValidationError"
    assert talk.refusal(talk.opened(seconds=-1))[0] == "ValidationError"
    with pytest.raises((ClientError, ParamValidationError)):
        talk.ask("not_an_id")
    code, message = talk.refusal("NEW_SESSION", header="no expiry")
    assert code == "ModelError" and "new-session-id" in message

    lost = next(session for session in sessions[1:])
    assert talk.refusal(lost, die=1)[0] == "ModelError"
    assert talk.refusal(lost)[0] == "ValidationError"

"""What the tests of Lambda create: a role that trusts it, packages, functions that are ready."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from typing import Any

ROLE_NAME = "LambdaTests"
ROLE = f"arn:aws:iam::123456789012:role/{ROLE_NAME}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def zipped(files: dict[str, str] | str) -> bytes:
    """A package; text alone is ``lambda_function.py``."""
    held = {"lambda_function.py": files} if isinstance(files, str) else files
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in held.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def make_role(iam: Any) -> str:
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName=ROLE_NAME, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return ROLE


def make_function(client: Any, name: str, files: dict[str, str] | str, **members: Any) -> dict[str, Any]:
    """A function that is active."""
    request = {
        "FunctionName": name,
        "Runtime": "python3.12",
        "Role": make_role(client("iam")),
        "Handler": "lambda_function.lambda_handler",
        "Code": {"ZipFile": zipped(files)},
        **members,
    }
    made: dict[str, Any] = client("lambda").create_function(**request)
    client("lambda").get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return made


def ask(client: Any, name: str, event: Any = None, **members: Any) -> tuple[dict[str, Any], Any]:
    """The answer of Invoke, and its payload read."""
    answer = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **members)
    return answer, json.loads(answer["Payload"].read() or b"null")

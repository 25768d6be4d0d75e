"""The ``context`` a handler is given: docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

from __future__ import annotations

import os
import time
from typing import Any


class _Members:
    """An object whose attributes are the members of a JSON object; those that are not there are ``None``."""

    names: tuple[str, ...] = ()

    def __init__(self, members: Any) -> None:
        held = members if isinstance(members, dict) else {}
        for name in self.names:
            setattr(self, name, held.get(name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{','.join(f'{name}={getattr(self, name)}' for name in self.names)}])"


class Client(_Members):
    names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(_Members):
    names = ("custom", "env", "client")

    def __init__(self, members: Any) -> None:
        super().__init__(members)
        self.client = Client(members.get("client")) if isinstance(members, dict) and members.get("client") else None


class CognitoIdentity(_Members):
    names = ("cognito_identity_id", "cognito_identity_pool_id")


class LambdaContext:
    """Of one invocation."""

    def __init__(self, request_id: str, arn: str, deadline_ms: int, client_context: Any) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.tenant_id = None
        self.client_context = None if client_context is None else ClientContext(client_context)
        self.identity = CognitoIdentity({})
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        print(message, end="", flush=True)

    def __repr__(self) -> str:
        told = ["aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb"]
        told += ["function_version", "invoked_function_arn", "client_context", "identity"]
        return f"LambdaContext([{','.join(f'{name}={getattr(self, name)}' for name in told)}])"

"""Thousands of requests that are all different and all refused leave nothing behind in the server."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GROWTH_KB_MAX = 32_000


def refused(connection: http.client.HTTPConnection, number: int) -> int:
    key = f"AKIA{number:016d}"
    scope = f"{key}/20260101/us-east-1/sagemaker/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={number:064x}"
    method, path, body, headers = (
        ("GET", f"/bucket-{number}/key-{number}?prefix={number}", b"", {}),
        ("GET", f"/key-{number}", b"", {"Host": f"bucket-{number}.localhost"}),
        ("POST", "/", b"{}", {"X-Amz-Target": f"SageMaker.Do{number}", "Authorization": signed}),
        ("POST", f"/endpoints/e-{number}/invocations", b"1", {"Authorization": signed}),
        ("POST", "/", f"Action=Do{number}&Version=2010-05-08".encode(), {"Authorization": signed}),
        ("GET", f"/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key}&X-Amz-Signature={number}", b"", {}),
    )[number % 6]
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def resident(server: Any) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


@pytest.mark.slow
def test_refusals_leave_nothing_behind(start_server: Callable[..., Any]) -> None:
    running = start_server()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    statuses = {refused(connection, number) for number in range(1_200)}
    before = resident(running)
    statuses |= {refused(connection, number) for number in range(1_200, 9_600)}
    connection.close()
    assert statuses <= {400, 403, 404}, statuses
    assert resident(running) - before < GROWTH_KB_MAX
    assert "Traceback" not in running.log()

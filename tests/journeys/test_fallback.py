"""One endpoint for everything: SageMaker and S3 by Cloche, queues and tables by moto's server behind it."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from environments import client_python

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto server of this test's own."""
    python = client_python("moto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path_factory.mktemp("moto") / "log").open("w") as log:
        command = [str(python.with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/").close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "moto's server did not start"
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def test_parameters_and_tables_beside_buckets(moto: str, start_server: Callable[..., Any], tmp_path: Path) -> None:
    running = start_server("--fallback", moto)
    dynamodb = running.client("dynamodb")
    dynamodb.create_table(
        TableName="runs",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName="runs")
    dynamodb.put_item(TableName="runs", Item={"id": {"S": "one"}, "auc": {"N": "0.93"}})
    assert dynamodb.get_item(TableName="runs", Key={"id": {"S": "one"}})["Item"]["auc"]["N"] == "0.93"

    ssm = running.client("ssm")
    ssm.put_parameter(Name="/churn/threshold", Value="0.8", Type="String")
    assert ssm.get_parameter(Name="/churn/threshold")["Parameter"]["Value"] == "0.8"

    ses = running.client("ses")  # the query protocol
    ses.verify_email_identity(EmailAddress="team@example.com")
    assert ses.list_identities()["Identities"] == ["team@example.com"]

    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.describe_table(TableName="nobody")

    s3 = running.client("s3")
    s3.create_bucket(Bucket="mine")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["mine"]
    with urllib.request.urlopen(f"{moto}/moto-api/data.json") as answer:
        assert b'"mine"' not in answer.read()  # the bucket is Cloche's
    log = running.log()
    for words in ("dynamodb CreateTable", "ssm PutParameter", "ses VerifyEmailIdentity"):
        assert words in log, words
    assert "s3 " not in log

"""``cloche run --role``: an unmodified program acts as a role, as a notebook in Studio does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ROLE = "AmazonSageMaker-ExecutionRole"
WHO = """
import boto3, json
told = {"who": boto3.client("sts").get_caller_identity()["Arn"]}
told["role"] = boto3.client("iam").get_role(RoleName=told["who"].split("/")[1])["Role"]["Arn"]
print(json.dumps(told))
"""


def run(server: Any, role: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """With keys of somebody else's in a file and in the environment, which must not be taken."""
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = AKIAX\naws_secret_access_key = x\n")
    environment = {
        **os.environ,
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_ACCESS_KEY_ID": "AKIAY",
        "AWS_SECRET_ACCESS_KEY": "y",
    }
    cloche = [sys.executable, "-m", "cloche.cli.main", "run", "--data", str(server.data), "--role", role]
    return subprocess.run(
        [*cloche, "--", sys.executable, "-c", WHO], capture_output=True, text=True, check=False, env=environment
    )


def test_a_program_acts_as_the_role(server: Any, tmp_path: Path) -> None:
    done = run(server, ROLE, tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["who"] == f"arn:aws:sts::123456789012:assumed-role/{ROLE}/SageMaker"
    assert told["role"].endswith(f":role/service-role/{ROLE}"), "what get_execution_role answers"


def test_roles_that_are_not_there_or_do_not_trust(server: Any, tmp_path: Path) -> None:
    assert "there is no role nobody" in run(server, "nobody", tmp_path).stderr
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    server.client("iam").create_role(
        RoleName="of-functions-alone",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    refused = run(server, "of-functions-alone", tmp_path)
    assert refused.returncode != 0 and "does not trust sagemaker.amazonaws.com" in refused.stderr


def test_only_the_owner_is_handed_a_session(server: Any) -> None:
    url = f"{server.url}/_cloche/role-sessions"
    for headers in ({}, {"Authorization": "Bearer guessed"}):
        request = urllib.request.Request(url, json.dumps({"role": ROLE}).encode(), headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        assert refused.value.code == 403
        refused.value.close()

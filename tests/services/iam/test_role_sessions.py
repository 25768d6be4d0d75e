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


def asked(server: Any, given: dict[str, Any], token: str) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{server.url}/_cloche/role-sessions", json.dumps(given).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        said: dict[str, str] = json.load(answer)
        return said


def keys_for(session: dict[str, str]) -> int:
    """The status of the answer to an SDK that comes for keys."""
    headers = {"Authorization": session["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
    request = urllib.request.Request(session["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_a_token_is_void_once_its_process_has_gone(server: Any) -> None:
    token = (server.data / "keys" / "console.token").read_text().strip()
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as ends:
        ended = asked(server, {"role": ROLE, "process": ends.pid}, token)
        assert keys_for(ended) == 200
    lives = asked(server, {"role": ROLE, "process": os.getpid()}, token)
    assert keys_for(ended) == 403 and keys_for(lives) == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        asked(server, {"role": ROLE, "process": ends.pid}, token)
    assert refused.value.code == 400 and b"no process of this machine" in refused.value.read()
    refused.value.close()


def test_only_the_owner_is_handed_a_session(server: Any) -> None:
    for token in ("", "guessed"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(server, {"role": ROLE, "process": os.getpid()}, token)
        assert refused.value.code == 403
        refused.value.close()

"""Models that fork, vanish, close what they hold; and everything killed while an endpoint is updated under load."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(Path(__file__).parent.parent / "sagemaker"))

from hosting_requests import SKLEARN, Hosting, archive, hosting_of, unique

SCRIPT = """
import os, time

def model_fn(model_dir):
    return open(model_dir + "/says").read()

def transform_fn(model, body, content_type, accept):
    if body == "fork and die":
        if os.fork() == 0:
            time.sleep(600)
        os._exit(1)
    if body == "fork and answer":
        if os.fork() == 0:
            time.sleep(600)
    if body == "close everything":
        os.closerange(3, 1000)
    if body == "leak":
        import mmap
        held = []
        try:
            while True:
                held.append(mmap.mmap(-1, 256 * 2**20))
        except OSError as error:
            return f"{len(held) / 4} GiB", "text/csv"
    if body.startswith("look for "):
        return look(body[9:]), "text/csv"
    if body == "end the process group":
        os.kill(0, 9)
    time.sleep(0.02)
    return model + body, "text/csv"

def look(data):
    import glob, socket
    secret = (data, data + "/keys", data + "/cloche.db", "/etc/shadow", "/home")
    found = [path for path in secret if os.path.exists(path)]
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            told = open(path, "rb").read()
        except OSError:
            continue
        found += [path] if data.encode() in told or b"SECRET_ACCESS" in told else []
    for path in glob.glob("/tmp/cloche-*/*/**", recursive=True):
        try:
            socket.socket(socket.AF_UNIX).connect(path)
            found.append("socket")
        except OSError:
            pass
    return ",".join(found)
"""
VARIABLES = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


def model_of(hosting: Hosting, says: str) -> str:
    packed = archive({"code/inference.py": SCRIPT.encode(), "says": says.encode()})
    return hosting.model(hosting.put(packed), image=SKLEARN, environment=VARIABLES)


def endpoint_of(hosting: Hosting, says: str, instances: int) -> str:
    name = unique("faults")
    variant = {"VariantName": "All", "ModelName": model_of(hosting, says), "InitialInstanceCount": instances}
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=hosting.config(variant))
    assert hosting.settled(name)["EndpointStatus"] == "InService"
    return name


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.fixture(scope="module")
def endpoint(hosting: Hosting) -> Iterator[str]:
    name = endpoint_of(hosting, "it:", 1)
    yield name
    hosting.gone(name)


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["fork and die", "fork and answer", "close everything", "end the process group"])
def test_what_a_model_does_to_itself_costs_its_own_request_alone(hosting: Hosting, endpoint: str, harm: str) -> None:
    def ask(body: str) -> str:
        answer = hosting.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/csv")
        return str(answer["Body"].read().decode())

    try:
        assert ask(harm) == f"it:{harm}"
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ModelError", error
    assert ask("1") == "it:1"
    assert ask("2") == "it:2"


@pytest.mark.slow
def test_a_model_sees_its_own_socket_and_nothing_of_the_server(hosting: Hosting, server: Any) -> None:
    """Though another instance of the very same model listens beside it."""
    name = endpoint_of(hosting, "it:", 2)
    for _ in range(2):
        body = f"look for {server.data}"
        answer = hosting.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="text/csv")
        assert answer["Body"].read() == b"socket"
    hosting.gone(name)


@pytest.mark.slow
def test_a_model_that_leaks_meets_its_own_bound(hosting: Hosting) -> None:
    """Not the machine's: an instance of this type has 4 GiB, and libraries may map 4 more."""
    name = unique("leaks")
    variant = {"VariantName": "All", "ModelName": model_of(hosting, "it:"), "InstanceType": "ml.c5.large"}
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=hosting.config(variant))
    assert hosting.settled(name)["EndpointStatus"] == "InService"

    def ask(body: str) -> str:
        answer = hosting.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="text/csv")
        return str(answer["Body"].read().decode())

    assert 3.0 < float(ask("leak").split()[0]) <= 8.0
    assert ask("1") == "it:1"
    hosting.gone(name)


# -- kills during an update -------------------------------------------------------------------------------------------


def processes_of(data: Path, word: bytes) -> list[int]:
    """Processes of this server's endpoints, by a word of their command line."""
    mark = os.fsencode(data / "run")
    found, parents = [], {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if mark in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue

    def is_below(pid: int) -> bool:
        while pid in parents and pid not in found:
            pid = parents[pid]
        return pid in found

    chosen = []
    for pid in filter(is_below, list(parents)):
        try:
            said = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if word in said and not said.partition(b"\0")[0].endswith(b"bwrap"):
            chosen.append(pid)
    return chosen


class Crowd:
    """Clients that ask without end; each answer is compared, each error kept."""

    def __init__(self, server: Any, endpoint: str, size: int) -> None:
        self.server, self.endpoint = server, endpoint
        self.ending = threading.Event()
        self.right: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.failed: Counter[str] = Counter()
        self.threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(size)]

    def _ask(self, number: int) -> None:
        config = Config(retries={"total_max_attempts": 1}, read_timeout=70)
        session = boto3.session.Session()
        client = session.client(
            "sagemaker-runtime",
            region_name="us-east-1",
            endpoint_url=self.server.url,
            config=config,
            **self.server.keys,
        )
        count = 0
        while not self.ending.is_set():
            count += 1
            body = f"{number}-{count}"
            try:
                answer = client.invoke_endpoint(EndpointName=self.endpoint, Body=body, ContentType="text/csv")
                said = answer["Body"].read().decode()
            except ClientError as error:
                self.failed[error.response["Error"]["Code"]] += 1
                continue
            except BotoCoreError as error:
                self.failed[type(error).__name__] += 1
                time.sleep(0.1)
                continue
            model, _, back = said.partition(":")
            if back != body or model not in ("old", "new"):
                self.wrong.append(f"{body}: {said}")
            self.right[model] += 1
        client.close()

    def __enter__(self) -> Crowd:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.slow
def test_kills_during_an_update_under_load_lose_what_was_in_the_killed_process(
    start_server: Callable[..., Any],
) -> None:
    server = start_server()
    hosting = Hosting(server.client)
    name = endpoint_of(hosting, "old:", 2)
    variant = {"VariantName": "All", "ModelName": model_of(hosting, "new:"), "InitialInstanceCount": 2}
    config = hosting.config(variant)
    runs = server.data / "run"
    kills = 0
    with Crowd(server, name, 32) as crowd:
        until(lambda: crowd.right["old"] > 100)
        hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
        for word in (b"cloche_jobs.entry\0serve", os.fsencode(runs / "processes"), b"cloche_jobs.entry\0serve"):
            until(lambda: processes_of(server.data, word))  # noqa: B023 - called at once
            victims = processes_of(server.data, word)
            assert victims
            os.kill(victims[kills % len(victims)], signal.SIGKILL)
            kills += 1
            time.sleep(0.7)
        unanswered = crowd.failed.total()
        assert set(crowd.failed) <= {"ModelError"}, crowd.failed
        assert unanswered <= 32 * kills, "more was lost than can have been in the killed processes"
        server.stop(signal.SIGKILL)
        server.start()
        hosting = Hosting(server.client)
        assert hosting.settled(name)["EndpointStatus"] == "InService"
        until(lambda: crowd.right["new"] > 100)
        kept = crowd.failed.copy()
        until(lambda: crowd.right["new"] > 300)
        assert crowd.failed == kept, "it failed on when all was well again"
    assert crowd.wrong == []
    assert hosting.described(name)["EndpointConfigName"] == config
    hosting.gone(name)


def until(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)

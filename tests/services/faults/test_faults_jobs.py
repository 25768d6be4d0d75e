"""User code that means harm: what it may not see it does not see, what it may not do is bounded, and all of it ends.

A plain process (no bubblewrap) promises none of this, and Cloche says so when it starts.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloche.compute.local import cgroups
from cloche.compute.local.sandbox import bubblewrap
from cloche.serving.sockets import socket_folder

sys.path.insert(0, str(Path(__file__).parent.parent / "sagemaker"))

from hosting_requests import Hosting, archive, trained
from training_requests import BUCKET, LOG_GROUP, Bench, channel

pytestmark = pytest.mark.skipif(bubblewrap() is None, reason="bubblewrap does not work here: NO SANDBOX IS TESTED")
SECRET = "of-the-server-alone-5f2c"


@pytest.fixture(scope="module")
def bench(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A server of this module's own, whose environment holds a secret."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SERVER_SECRET", SECRET)
        running = type(server)(tmp_path_factory.mktemp("harm") / "data", ("--verbose",)).start()
    yield Bench(running)
    running.stop()


def carriers(data: Path) -> list[int]:
    """Processes that a job of the server on ``data`` left: those in whose environment its ARN is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if (
                b"TRAINING_JOB_ARN=" in path.read_bytes()
                and os.fsencode(data) in (path.parent / "cmdline").read_bytes()
            ):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def script(bench: Bench, name: str, code: str, **changes: Any) -> dict[str, Any]:
    """The request for a job that runs this Python code (an entry point itself is 256 characters at most)."""
    bench.s3.put_object(Bucket=BUCKET, Key=f"code/{name}/main.py", Body=code.encode())
    changes["InputDataConfig"] = [channel("code", f"code/{name}", "text/plain")]
    return bench.request(name, "python3 /opt/ml/input/data/code/main.py", **changes)


def run(bench: Bench, name: str, code: str, **changes: Any) -> dict[str, Any]:
    bench.sagemaker.create_training_job(**script(bench, name, code, **changes))
    return bench.ended(name, 120)


def test_it_sees_nothing_of_the_server(bench: Bench) -> None:
    """Nor of a model that listens beside it."""
    data, pid = bench.server.data, bench.server.process.pid
    hosting = Hosting(bench.server.client)
    endpoint = hosting.endpoint(hosting.put(trained(1)[0]))
    sockets = [str(path) for path in socket_folder(data).rglob("*") if path.is_socket()]
    assert sockets, "of the model"
    code = f"""
import glob, os, socket
for path in ({str(data)!r}, {str(data.parent)!r}, "/root" "/.aws", "/etc/shadow", "/home", "/proc/{pid}/environ"):
    print("SEES", path) if os.path.exists(path) and os.listdir(path) else None
for path in glob.glob("/proc/*/environ"):
    try:
        text = open(path, "rb").read().decode("latin-1")
    except OSError:
        continue
    print("SECRET in", path) if {SECRET[::-1]!r}[::-1] in text or "SERVER_SECRET" in text else None
for path in ("/proc/1/environ", "/proc/1/fd/0", "/proc/1/root"):
    try:
        print("SEES", path, open(path).read() if path.endswith("environ") else os.stat(path))
    except OSError:
        pass
for path in [*{sockets}, *glob.glob("/tmp/cloche-*/**", recursive=True)]:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print("SEES socket", path)
    except OSError:
        pass
print("keys", sorted(name for name in os.environ if "SECRET" in name.upper()))
"""
    job = run(bench, "curious", code)
    lines = bench.lines("curious")
    assert job["TrainingJobStatus"] == "Completed", (job, lines)
    assert not [line for line in lines if line.startswith(("SEES", "SECRET"))]
    assert lines[-1] == "keys []"
    hosting.gone(endpoint)


def test_it_kills_nobody(bench: Bench) -> None:
    pids = [bench.server.process.pid, os.getpid()]
    code = f"""
import os, signal
for pid in {pids}:
    try:
        os.kill(pid, signal.SIGKILL)
        print("KILLED", pid)
    except OSError as error:
        print(type(error).__name__)
"""
    assert run(bench, "killer", code)["TrainingJobStatus"] == "Completed"
    assert bench.lines("killer") == ["ProcessLookupError"] * 2
    bench.run("killer-of-all", "kill -9 -1; sleep 0.1; kill -9 1; kill -9 $$")
    assert bench.describe("killer-of-all")["TrainingJobStatus"] == "Failed"
    assert bench.run("another")["TrainingJobStatus"] == "Completed"


def test_it_gains_no_rights_and_no_mounts(bench: Bench) -> None:
    tries = "mount -t tmpfs none /opt/ml && echo MOUNTED; unshare -Ur true && mknod /tmp/sda b 8 0 && echo MADE"
    bench.run("rightful", f"({tries}) 2>&1; head -c 1 /tmp/sda && echo READ; true")
    assert not {"MOUNTED", "MADE", "READ"} & set(bench.lines("rightful"))


def test_nothing_runs_on_after_a_stop(bench: Bench) -> None:
    """Not what left the process group, the session, its parent and its environment, nor what ignores SIGTERM."""
    beat = "trap '' TERM; while :; do date > /opt/ml/model/beat; sleep 0.05; done"
    bench.create("undying", f'trap "" TERM; (env -i setsid sh -c "{beat}" &) & echo up; sleep 600; sleep 600')
    bench.says("undying", "up")
    bench.sagemaker.stop_training_job(TrainingJobName="undying")
    folder = next(path for path in (bench.server.data / "run" / "processes").glob("training-undying-*"))
    (folder / "stop").write_text("0.5")  # the grace of 120 s is too long for a test
    runner = int(json.loads((folder / "runner.json").read_text())["pid"])
    os.kill(runner, 15)
    assert bench.ended("undying")["TrainingJobStatus"] == "Stopped"
    deadline = time.monotonic() + 20
    while carriers(bench.server.data) or list((bench.server.data / "run" / "processes").glob("training-undying-*")):
        assert time.monotonic() < deadline, carriers(bench.server.data)
        time.sleep(0.05)
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"model/beat" in _bytes(path)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.slow
def test_it_forks_without_end(bench: Bench) -> None:
    code = """
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(600)
    except OSError:
        time.sleep(0.01)
"""
    is_held = "pids" in cgroups.found().folders
    job = run(bench, "bomb", code, StoppingCondition={"MaxRuntimeInSeconds": 5 if is_held else 60})
    assert job["TrainingJobStatus"] in ("Failed", "Stopped")
    if is_held:  # it cannot have more, and harms but itself until its time is up
        assert job["SecondaryStatus"] == "MaxRuntimeExceeded"
    elif os.geteuid() == 0:  # whom the system's limit does not bind, but ours does
        assert "processes run, 4096 are allowed" in job["FailureReason"]
    assert bench.run("after-the-bomb")["TrainingJobStatus"] == "Completed"


@pytest.mark.slow
def test_it_fills_the_disk(bench: Bench) -> None:
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    script = "for n in $(seq 9); do fallocate -l 300M /opt/ml/model/$n; sleep 0.3; done; sleep 30"
    job = bench.run("greedy", script, ResourceConfig=resources)
    assert job["TrainingJobStatus"] == "Failed", job
    assert job["FailureReason"].startswith("AlgorithmError: No space left on device")
    deadline = time.monotonic() + 20
    while list((bench.server.data / "run" / "training").glob("training-greedy-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_thing_of_gigabytes_of_output_is_cut(bench: Bench) -> None:
    """The bound itself is the compute backend's contract; here, that one endless line takes no memory to speak of."""
    job = bench.run("loud", "head -c 300000000 /dev/zero | tr '\\0' 'x'; echo; echo done")
    assert job["TrainingJobStatus"] == "Completed"
    stream = bench.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix="loud/")["logStreams"][0]
    tail = bench.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"], limit=1)
    assert [event["message"] for event in tail["events"]] == ["done"]
    status = Path(f"/proc/{bench.server.process.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 400_000, f"the server took {peak} kB at most"


class Marker:
    """Unpickled, it writes a file: where the model is opened, there it appears."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        code = f"open({self.path!r}, 'w').write('opened'); print('THE PICKLE WAS OPENED', flush=True)"
        return exec, (code,)


def test_a_pickle_is_opened_in_the_sandbox_if_anywhere(bench: Bench, tmp_path: Path) -> None:
    hosting = Hosting(bench.server.client)
    markers = [tmp_path / "marker", bench.server.data / "marker", bench.server.data / "objects" / "marker"]
    for marker in markers:
        packed = archive({"xgboost-model": pickle.dumps(Marker(marker))})
        name = hosting.endpoint(hosting.put(packed))
        assert hosting.described(name)["EndpointStatus"] == "Failed"
        hosting.gone(name)
    assert not [marker for marker in markers if marker.exists()]


@pytest.mark.parametrize("kind", ["above", "absolute", "link", "bomb", "a million"])
def test_a_hostile_bundle_fails_the_job(bench: Bench, kind: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1 if kind == "a million" else 9) as tar:
        names = {"above": "../../above", "absolute": "/tmp/absolute", "link": "link/x", "bomb": "bomb"}
        info = tarfile.TarInfo(names.get(kind, "one"))
        if kind == "a million":
            assert tar.fileobj is not None
            for _ in range(100):
                tar.fileobj.write(info.tobuf() * 10_000)
        if kind == "link":
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
            tar.addfile(link)
        info.size = 300_000_000 if kind == "bomb" else 1
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    kind = kind.replace(" ", "-")
    bench.s3.put_object(Bucket="training-stories", Key=f"hostile/{kind}.tar.gz", Body=packed.getvalue())
    algorithm = {"TrainingImage": bench.request("x")["AlgorithmSpecification"]["TrainingImage"]}
    job = bench.run(
        f"hostile-{kind}",
        AlgorithmSpecification={**algorithm, "TrainingInputMode": "File"},
        HyperParameters={
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": f"s3://training-stories/hostile/{kind}.tar.gz",
        },
    )
    assert job["TrainingJobStatus"] == "Failed"
    assert "sourcedir.tar.gz" in job["FailureReason"] or f"{kind}.tar.gz" in job["FailureReason"], job["FailureReason"]
    assert not Path("/tmp/absolute").exists()


def test_no_secret_lies_about(bench: Bench) -> None:
    """After all of the above: no key, token or signature in what the server printed or keeps outside its keys."""
    server = bench.server
    sts = server.client("sts")
    given = sts.get_session_token()["Credentials"]
    user = bench.iam.create_user(UserName="secretive")["User"]["UserName"]
    key = bench.iam.create_access_key(UserName=user)["AccessKey"]
    with pytest.raises(ClientError):
        server.client("sts", aws_secret_access_key="wrong-" + SECRET).get_caller_identity()
    bench.create("holder", "env; sleep 2")
    secrets = {
        "root's secret": server.keys["aws_secret_access_key"],
        "session's secret": given["SecretAccessKey"],
        "session's token": given["SessionToken"],
        "user's secret": key["SecretAccessKey"],
        "console's token": (server.data / "keys" / "console.token").read_text(),
        "server's environment": SECRET,
    }
    bench.ended("holder")
    console = secrets.pop("console's token")
    files = [
        Path(folder, name) for folder, _, names in os.walk(server.data) for name in names
    ]  # while jobs are tidied up
    files = [path for path in files if path.is_file() and "keys" not in path.parts]
    files += [server.data.parent / f"{server.data.name}.log"]
    kept = [path for path in files if not path.name.startswith("cloche.db")]
    faults = []
    for path in kept:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        faults += [f"{name} in {path}" for name, value in secrets.items() if value.encode() in content]
        if path.suffix == ".log":
            faults += [
                f"{word} in {path}" for word in ("Signature=", "X-Amz-Security-Token") if word.encode() in content
            ]
        elif console.encode() in content:
            faults.append(f"the console's token in {path}")  # its link is printed at the start, for the user
        if path.stat().st_mode & 0o077 and path.parent == server.data:
            faults.append(f"{path} may be read by others")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        content = _bytes(path)
        faults += [f"{name} in a command line" for name, value in secrets.items() if value.encode() in content]
    assert not faults

"""File systems as directories of this machine, told by unmodified boto3 clients to a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from test_training_hosts import said
from training_requests import Bench, channel

from cloche.cli import doctor
from cloche.compute.local.sandbox import bubblewrap
from server_process import ServerProcess

EFS, LUSTRE = "fs-0123456789abcdef0", "fs-89abcdef"
VPC = {"SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": ["subnet-0123456789abcdef0"]}
NOTICE = "[cloche] VpcConfig is kept and shown; it does not confine the network"


def files(name: str, path: str, mode: str = "ro", id: str = EFS, **more: Any) -> dict[str, Any]:
    kind = "EFS" if id == EFS else "FSxLustre"
    source = {"FileSystemId": id, "FileSystemType": kind, "FileSystemAccessMode": mode, "DirectoryPath": path}
    return {"ChannelName": name, "DataSource": {"FileSystemDataSource": source}, **more}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("efs")
    for name in ("train/rows.csv", "other/secret", "shared/old"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(f"{name}\n")
    (root / "train" / "to-other").symlink_to("../other/secret")
    (root / "out").symlink_to("/etc")
    (root / "within").symlink_to("train")
    return root


@pytest.fixture(scope="module")
def bench(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    named = [word for id in (EFS, LUSTRE) for word in ("--file-system", f"{id}={root}")]
    server = ServerProcess(tmp_path_factory.mktemp("files") / "data", tuple(named)).start()
    yield Bench(server)
    server.stop()
    server.end_what_runs()


def run(bench: Bench, name: str, script: str, *inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {"InputDataConfig": list(inputs), "VpcConfig": VPC, "Environment": {"SCRIPT": script}, **more}
    return bench.run(name, 'eval "$SCRIPT"', **given)


sandboxed = pytest.mark.skipif(bubblewrap() is None, reason="bubblewrap cannot make a sandbox here: NOT TESTED")


def refused(bench: Bench, **members: Any) -> str:
    with pytest.raises(ClientError) as caught:
        bench.create("files-refused", **{"VpcConfig": VPC, **members})
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    message: str = caught.value.response["Error"]["Message"]
    return message


@sandboxed
def test_a_channel_is_the_directory_itself(bench: Bench, root: Path) -> None:
    """Read-only is read-only, whatever the job tries; what is written through the other is there; nothing is moved,
    copied, or given other rights, and what the links in it lead to is not there."""
    (root / "train" / "rows.csv").chmod(0o600)
    script = (
        "cd /opt/ml/input/data; ls train | tr '\\n' ' '; echo; cat train/rows.csv; cat train/to-other; ls -A ..;"
        "touch train/new; echo x >> train/rows.csv; chmod 777 train; mount -o remount,rw train; ls train | wc -l;"
        "ls lustre; echo written > lustre/new; mkdir -p lustre/deep/er; echo checkpoint > lustre/deep/er/one;"
        "cat ../config/inputdataconfig.json; exit 0"
    )
    inputs = [
        files("train", "/train", ContentType="text/csv"),
        files("lustre", "/mnt0name/shared/", "rw", LUSTRE),
        channel("objects", "input/one/"),
    ]
    before = (root / "train").stat()
    job = run(bench, "files-one", script, *inputs)
    assert job["TrainingJobStatus"] == "Completed", "\n".join(bench.lines("files-one"))
    plain = {"CompressionType": "None", "RecordWrapperType": "None"}
    assert job["InputDataConfig"][:2] == [{**plain, **each} for each in inputs[:2]]
    assert job["VpcConfig"] == VPC
    lines = bench.lines("files-one")
    assert lines[0].startswith(NOTICE)
    assert lines[1:3] == ["rows.csv to-other ", "train/rows.csv"]
    assert any("to-other: No such file or directory" in line for line in lines)
    assert "2" in lines
    assert "old" in lines
    plainly = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    told = json.loads(lines[-1])
    assert told["lustre"] == plainly
    assert told["train"] == {"ContentType": "text/csv", **plainly}
    assert sorted(os.listdir(root / "train")) == ["rows.csv", "to-other"]
    assert (root / "train" / "rows.csv").read_text() == "train/rows.csv\n"
    assert (root / "train" / "rows.csv").stat().st_mode & 0o777 == 0o600
    after = (root / "train").stat()
    assert (before.st_mode, before.st_ino) == (after.st_mode, after.st_ino)
    assert (root / "shared" / "new").read_text() == "written\n"
    assert (root / "shared" / "deep" / "er" / "one").read_text() == "checkpoint\n"
    script = "cat /opt/ml/input/data/s/deep/er/one"
    again = run(bench, "files-two", script, files("s", "/shared"), EnableNetworkIsolation=True)
    assert again["TrainingJobStatus"] == "Completed", again
    assert bench.lines("files-two") == ["checkpoint"], "a network that is cut needs no notice"


@sandboxed
def test_every_instance_sees_all_of_it_and_a_large_file_is_no_part_of_the_volume(bench: Bench, root: Path) -> None:
    script = (
        "ls /opt/ml/input/data/train | wc -l; echo $(hostname) > /opt/ml/input/data/out/$(hostname);"
        "truncate -s 2G /opt/ml/input/data/out/large-$(hostname)"
    )
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    inputs = [files("train", "/train"), files("out", "/shared", "rw")]
    job = run(bench, "files-hosts", script, *inputs, ResourceConfig=resources)
    assert job["TrainingJobStatus"] == "Completed", (job, said(bench, "files-hosts"))
    heard = said(bench, "files-hosts")
    assert {host: lines[1:] for host, lines in heard.items()} == {"algo-1": ["2"], "algo-2": ["2"]}
    assert all(lines[0].startswith(NOTICE) for lines in heard.values())
    assert {(root / "shared" / name).read_text() for name in ("algo-1", "algo-2")} == {"algo-1\n", "algo-2\n"}
    assert (root / "shared" / "large-algo-2").stat().st_size == 2 << 30


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (files("t", "/train", id="fs-00000000"), "File system fs-00000000 of channel t does not exist"),
        (files("t", "/nothing"), "is not a directory there: No such file or directory"),
        (files("t", "/train/rows.csv"), "is not a directory there: Not a directory"),
        (files("t", "/train/../other"), "leads out of the file system"),
        (files("t", "/out"), "leads out of the file system"),
        (files("t", "train"), "is not the full path"),
        (files("t", "/", id=LUSTRE), "mount name"),
        (files("t", "/" + "a" * 4000), "File name too long"),
        (files("t", "/train", InputMode="FastFile"), "its input mode is FastFile"),
        (files("t", "/train", InputMode="Pipe"), "its input mode is Pipe"),
        (files("t", "/train", CompressionType="Gzip"), "Invalid compression type for channel t"),
        (files("t", "/train", ShuffleConfig={"Seed": 1}), "ShuffleConfig"),
        ({"ChannelName": "t", "DataSource": {}}, "needs an S3DataSource or a FileSystemDataSource"),
    ],
)
def test_what_cannot_be_is_refused_by_name(bench: Bench, source: dict[str, Any], told: str) -> None:
    assert told in refused(bench, InputDataConfig=[source])


def test_a_file_system_needs_a_vpc_of_the_right_form(bench: Bench) -> None:
    with pytest.raises(ClientError, match="VpcConfig is required"):
        bench.create("files-refused", InputDataConfig=[files("t", "/train")])
    swapped = {"SecurityGroupIds": VPC["Subnets"], "Subnets": VPC["SecurityGroupIds"]}
    assert "does not begin with sg-" in refused(bench, VpcConfig=swapped)
    both = files("t", "/train")
    both["DataSource"] |= channel("t", "input/one/")["DataSource"]
    assert "needs an S3DataSource or" in refused(bench, InputDataConfig=[both])
    assert "used twice" in refused(bench, InputDataConfig=[files("t", "/train"), channel("t", "input/one/")])


@sandboxed
def test_a_link_inside_is_followed_and_what_is_gone_at_the_start_is_told(bench: Bench, root: Path) -> None:
    job = run(bench, "files-link", "cat /opt/ml/input/data/t/rows.csv", files("t", "/within"))
    assert job["TrainingJobStatus"] == "Completed", job
    assert bench.lines("files-link")[1:] == ["train/rows.csv"]


def test_state_survives_a_kill_of_the_server(bench: Bench, root: Path) -> None:
    """The job goes on and writes on; the next server, which knows of no file system, fails the next job by name."""
    script = "cd /opt/ml/input/data/t; touch begun; until test -e go; do sleep 0.05; done; echo done > killed"
    bench.create("files-killed", script, InputDataConfig=[files("t", "/shared", "rw")], VpcConfig=VPC)
    bench.says("files-killed", NOTICE)
    server = bench.server
    server.stop(signal.SIGKILL)
    server.start()
    bench.connect()
    (root / "shared" / "go").touch()
    job = bench.ended("files-killed")
    assert job["TrainingJobStatus"] == "Completed", job
    assert [line for line in bench.lines("files-killed") if line.startswith("[cloche]")] == bench.lines("files-killed")
    assert (root / "shared" / "killed").read_text() == "done\n"


def test_the_doctor_the_status_and_the_console_tell_of_it(
    bench: Bench, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda data: [])  # seconds, of this machine

    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    token = (bench.server.data / "keys" / "console.token").read_text().strip()
    opener.open(f"{bench.server.url}/?token={token}", timeout=30).close()
    groups = [{"InstanceGroupName": "one", "InstanceType": "ml.m5.large", "InstanceCount": 1}]
    bench.run(
        "files-shown",
        InputDataConfig=[files("t", "/train"), channel("objects", "input/one/")],
        VpcConfig=VPC,
        ResourceConfig={"InstanceGroups": groups, "VolumeSizeInGB": 1},
    )
    with opener.open(f"{bench.server.url}/_cloche/training/files-shown", timeout=30) as answer:
        page = answer.read().decode()
    assert f'{EFS}:/train <span class="dim">EFS, ro</span>' in page
    assert "kept; the network is not confined by it" in page
    assert "<th>Instance group one<td>1 " in page
    data = ["--data", str(bench.server.data)]
    status = subprocess.run(
        [sys.executable, "-m", "cloche.cli.main", "status", *data], stdout=subprocess.PIPE, text=True
    )
    assert f"{EFS} is {root}" in status.stdout
    assert f"training jobs see {root}" in CliRunner().invoke(doctor.command, data).output
    assert f"{EFS} is {root}" in bench.server.log()


def test_without_a_sandbox_a_channel_that_may_write_is_a_link_and_no_other_can_be_had(
    start_server: Any, root: Path
) -> None:
    bench = Bench(start_server("--sandbox", "process", "--file-system", f"{EFS}={root}"))
    with pytest.raises(ClientError, match=r"FileSystemAccessMode ro \(channel t\) needs a sandbox"):
        bench.create("files-plain", InputDataConfig=[files("t", "/train")], VpcConfig=VPC)
    script = "echo plain > $CLOCHE_ML_ROOT/input/data/t/plain; cat $CLOCHE_ML_ROOT/input/data/t/rows.csv"
    job = run(bench, "files-plain", script, files("t", "/train", "rw"))
    assert job["TrainingJobStatus"] == "Completed", job
    assert bench.lines("files-plain")[1:] == ["train/rows.csv"]
    bench.sagemaker.delete_training_job(TrainingJobName="files-plain")
    assert (root / "train" / "plain").read_text() == "plain\n", "what the job leaves is not removed with it"
    (root / "train" / "plain").unlink()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("fs-1=DIR", "is ID=DIRECTORY"),
        ("fs-0123456789=", "is ID=DIRECTORY"),
        ("fs-0123456789=DIR/none", "is not a directory"),
        ("fs-0123456789=DATA", "lie in one another"),
        ("fs-0123456789=DIR", "lie in one another"),
    ],
)
def test_a_directory_that_cannot_be_one_ends_the_start(tmp_path: Path, given: str, told: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    given = given.replace("DATA", str(data)).replace("DIR", str(tmp_path))
    line = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(data), "--file-system", given]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert told in done.stderr

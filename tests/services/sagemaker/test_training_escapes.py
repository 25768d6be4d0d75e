"""Scripts that reach for what is not theirs, as training jobs of a real server."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest
from training_requests import BUCKET, Bench, channel

from cloche.compute.local.sandbox import bubblewrap

pytestmark = pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: without bubblewrap nothing is promised")


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def python(bench: Bench, name: str, script: str, **changes: Any) -> dict[str, Any]:
    environment = {"SCRIPT": script, **changes.pop("Environment", {})}
    return bench.run(name, 'exec python3 -u -c "$SCRIPT"', Environment=environment, **changes)


def test_the_servers_data_and_keys_are_not_there(bench: Bench) -> None:
    data = bench.server.data
    assert (data / "keys").is_dir()
    assert (data / "cloche.db").exists()
    script = (
        "import os\n"
        "root = os.environ['WHERE']\n"
        "for path in (root, '/proc/1/root' + root, '/proc/1/cwd', '/proc/self/cwd'):\n"
        "    if os.path.exists(path + '/cloche.db') or os.path.exists(path + '/keys'): print('SEES', path)\n"
        "try: print('TELLS', open('/proc/1/environ', 'rb').read())\n"
        "except PermissionError: pass\n"
        "told = open('/proc/1/cmdline', 'rb').read()\n"
        "if root.encode() in told: print('TELLS', told)\n"
        "print('looked')\n"
    )
    job = python(bench, "escape-data", script, Environment={"WHERE": str(data)})
    assert job["TrainingJobStatus"] == "Completed"
    assert bench.lines("escape-data") == ["looked"]


LINKS = (
    "import os, shutil\n"
    "os.chdir('/opt/ml')\n"
    "shutil.rmtree('model'); os.symlink(os.environ['WHERE'], 'model')\n"
    "shutil.rmtree('output'); os.symlink(os.environ['WHERE'], 'output')\n"
)


@pytest.mark.parametrize("compression", ["GZIP", "NONE"])
def test_a_link_in_place_of_a_folder_sends_nothing_away(bench: Bench, compression: str) -> None:
    name = f"escape-links-{compression.lower()}"
    job = python(
        bench,
        name,
        LINKS,
        Environment={"WHERE": str(bench.server.data)},
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/output", "CompressionType": compression},
    )
    assert job["TrainingJobStatus"] == "Completed", job
    found = bench.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"output/{name}/")
    assert found.get("Contents", []) == []


def test_links_within_the_model_folder_send_nothing_away(bench: Bench) -> None:
    script = (
        "import os\n"
        "os.chdir('/opt/ml/model')\n"
        "open('weights', 'w').write('1'); os.symlink('weights', 'same')\n"
        "os.symlink('/etc/passwd', 'users'); os.symlink(os.environ['WHERE'] + '/cloche.db', 'database')\n"
        "os.symlink('/', 'all'); os.symlink('../../..', 'above'); os.mkfifo('pipe')\n"
    )
    job = python(bench, "escape-model", script, Environment={"WHERE": str(bench.server.data)})
    assert job["TrainingJobStatus"] == "Completed", job
    body = bench.s3.get_object(Bucket=BUCKET, Key="output/escape-model/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert sorted(archive.getnames()) == ["same", "weights"]
        assert all(member.isfile() for member in archive)


def test_a_failure_that_is_a_link_tells_nothing(bench: Bench) -> None:
    script = LINKS + "os.remove('output'); os.mkdir('output'); os.symlink('/etc/hostname', 'output/failure'); exit(3)"
    job = python(bench, "escape-failure", script, Environment={"WHERE": str(bench.server.data)})
    assert job["FailureReason"] == "AlgorithmError: , exit code: 3"
    job = python(bench, "escape-output", LINKS + "exit(3)", Environment={"WHERE": str(bench.server.data)})
    assert job["FailureReason"] == "AlgorithmError: , exit code: 3"


def test_an_input_is_the_object_still(bench: Bench) -> None:
    """A program that the request names may change small files, which are copies, as SDK 3's drivers do; not links."""
    big = b"1,2\n" * (1 << 19)
    bench.s3.put_object(Bucket=BUCKET, Key="input/big/rows.csv", Body=big)
    script = (
        "import os\n"
        "for name in ('one', 'big'):\n"
        "    rows = f'/opt/ml/input/data/{name}/rows.csv'\n"
        "    link = lambda: os.link(rows, f'/opt/ml/output/{name}')\n"
        "    for act in (lambda: open(rows, 'w'), link, lambda: os.chmod(rows, 0)):\n"
        "        try: act(); print('did')\n"
        "        except OSError: print('not')\n"
    )
    channels = [channel("one", "input/one"), channel("big", "input/big")]
    job = python(bench, "escape-input", script, InputDataConfig=channels)
    assert job["TrainingJobStatus"] == "Completed", job
    assert bench.lines("escape-input") == ["did"] * 3 + ["not"] * 3
    assert bench.s3.get_object(Bucket=BUCKET, Key="input/one/rows.csv")["Body"].read() == b"1,2\n3,4\n"
    assert bench.s3.get_object(Bucket=BUCKET, Key="input/big/rows.csv")["Body"].read() == big


def test_isolation_leaves_no_way_to_the_server(bench: Bench) -> None:
    script = (
        "import os, socket, json\n"
        "print(json.dumps([open('/proc/net/dev').read().count(':'), 'eth0' in open('/proc/net/dev').read()]))\n"
        "try: socket.create_connection(('127.0.0.1', int(os.environ['PORT'])), 5); print('REACHED')\n"
        "except OSError as error: print(error.strerror)\n"
    )
    port = bench.server.url.rpartition(":")[2]
    job = python(bench, "escape-network", script, Environment={"PORT": port}, EnableNetworkIsolation=True)
    assert job["TrainingJobStatus"] == "Completed", job
    interfaces, refused = bench.lines("escape-network")
    assert json.loads(interfaces) == [1, False]
    assert refused == "Connection refused"

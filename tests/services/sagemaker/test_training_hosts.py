"""Training on several instances, told by unmodified boto3 clients to a real server."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from framework_jobs import completed, trained
from training_requests import BUCKET, LOG_GROUP, XGBOOST, Bench, channel

from cloche.compute.local.sandbox import bubblewrap

pytestmark = pytest.mark.skipif(
    bubblewrap() is None, reason="bubblewrap cannot make a sandbox here: SEVERAL INSTANCES ARE NOT TESTED"
)
TWO = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
GROUPS = {
    "InstanceGroups": [
        {"InstanceGroupName": "readers", "InstanceType": "ml.c5.xlarge", "InstanceCount": 1},
        {"InstanceGroupName": "trainers", "InstanceType": "ml.m5.large", "InstanceCount": 2},
    ],
    "VolumeSizeInGB": 1,
}


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    bench = Bench(server)
    for number in range(5):
        bench.s3.put_object(Bucket=BUCKET, Key=f"parts/{number}.csv", Body=b"%d,0\n" % number)
    return bench


def said(bench: Bench, name: str) -> dict[str, list[str]]:
    """What each host printed, by its name."""
    streams = bench.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    found = {}
    for stream in (stream["logStreamName"] for stream in streams):
        events = bench.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True)["events"]
        found[stream.removeprefix(f"{name}/").rpartition("-")[0]] = [event["message"] for event in events]
    return found


def archive(bench: Bench, key: str) -> dict[str, bytes]:
    body = bench.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar if each.isfile()}  # type: ignore[union-attr]


def test_two_instances_from_creation_to_one_model(bench: Bench) -> None:
    script = (
        "cd /opt/ml; cat input/config/resourceconfig.json; echo; echo $CURRENT_HOST $(hostname) ;"
        "ls input/data/all | tr '\\n' ' '; echo; ls input/data/shared | tr '\\n' ' '; echo;"
        'echo "loss=$(hostname | tail -c 2);";'
        "echo $(hostname) | tee model/$(hostname) model/name output/data/$(hostname) > /dev/null"
    )
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/parts/", "S3DataDistributionType": "ShardedByS3Key"}
    job = bench.run(
        "hosts-two",
        'eval "$SCRIPT"',
        Environment={"SCRIPT": script},
        ResourceConfig=TWO,
        InputDataConfig=[
            channel("all", "parts/"),
            {"ChannelName": "shared", "DataSource": {"S3DataSource": source}},
        ],
    )
    assert job["TrainingJobStatus"] == "Completed", (job, said(bench, "hosts-two"))
    assert job["ResourceConfig"] == TWO
    printed = said(bench, "hosts-two")
    assert list(printed) == ["algo-1", "algo-2"]
    shares = []
    for host, (resources, who, everything, share, _) in printed.items():
        assert who == f"{host} {host}"
        document = json.loads(resources)
        assert document == {
            "current_host": host,
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1", "algo-2"],
            "instance_groups": [
                {
                    "instance_group_name": "homogeneousCluster",
                    "instance_type": "ml.m5.large",
                    "hosts": ["algo-1", "algo-2"],
                }
            ],
            "network_interface_name": "lo",
        }
        assert everything.split() == [f"{number}.csv" for number in range(5)]
        shares.append(share.split())
    assert shares == [["0.csv", "2.csv", "4.csv"], ["1.csv", "3.csv"]]
    model = archive(bench, "output/hosts-two/output/model.tar.gz")
    assert model == {"algo-1": b"algo-1\n", "algo-2": b"algo-2\n", "name": b"algo-1\n"}
    assert archive(bench, "output/hosts-two/output/output.tar.gz") == {"algo-1": b"algo-1\n", "algo-2": b"algo-2\n"}


def test_groups_of_instances(bench: Bench) -> None:
    for_readers = channel("rows", "parts/")
    for_readers["DataSource"]["S3DataSource"]["InstanceGroupNames"] = ["readers"]
    script = "cat /opt/ml/input/config/resourceconfig.json; echo; cat /opt/ml/input/config/inputdataconfig.json; echo"
    job = bench.run(
        "hosts-grouped", script, ResourceConfig=GROUPS, InputDataConfig=[for_readers, channel("all", "parts/")]
    )
    assert job["TrainingJobStatus"] == "Completed", job
    assert job["ResourceConfig"] == GROUPS
    assert job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["InstanceGroupNames"] == ["readers"]
    seen = {host: [json.loads(line) for line in lines] for host, lines in said(bench, "hosts-grouped").items()}
    assert {host: resources["current_group_name"] for host, (resources, _) in seen.items()} == {
        "algo-1": "readers",
        "algo-2": "trainers",
        "algo-3": "trainers",
    }
    assert seen["algo-3"][0]["current_instance_type"] == "ml.m5.large"
    assert seen["algo-3"][0]["instance_groups"] == [
        {"instance_group_name": "readers", "instance_type": "ml.c5.xlarge", "hosts": ["algo-1"]},
        {"instance_group_name": "trainers", "instance_type": "ml.m5.large", "hosts": ["algo-2", "algo-3"]},
    ]
    assert {host: sorted(channels) for host, (_, channels) in seen.items()} == {
        "algo-1": ["all", "rows"],
        "algo-2": ["all"],
        "algo-3": ["all"],
    }


SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
TOLD = """
import json, os
names = ("HOSTS", "CURRENT_HOST", "CURRENT_INSTANCE_TYPE", "CURRENT_INSTANCE_GROUP", "CURRENT_INSTANCE_GROUP_HOSTS",
         "INSTANCE_GROUPS", "INSTANCE_GROUPS_DICT", "DISTRIBUTION_INSTANCE_GROUPS", "IS_HETERO", "CHANNELS",
         "RESOURCE_CONFIG", "TRAINING_ENV")
print("TOLD", json.dumps({name: os.environ["SM_" + name] for name in names}))
from sagemaker_training.environment import Environment
job = Environment()
assert job.is_hetero and job.distribution_hosts == ["algo-2", "algo-3"]
assert job.current_instance_group_hosts == json.loads(os.environ["SM_CURRENT_INSTANCE_GROUP_HOSTS"])
assert job["instance_groups_dict"] == json.loads(os.environ["SM_INSTANCE_GROUPS_DICT"])
"""


def test_a_script_on_groups_is_told_of_them(bench: Bench) -> None:
    """As ``environment.py`` of aws/sagemaker-training-toolkit makes the variables of a heterogeneous cluster."""
    for_readers = channel("rows", "parts/")
    for_readers["DataSource"]["S3DataSource"]["InstanceGroupNames"] = ["readers"]
    settings = {"sagemaker_distribution_instance_groups": ["trainers"], "sagemaker_mpi_enabled": False}
    trained(
        bench,
        "hosts-script",
        SKLEARN,
        TOLD,
        1,
        settings,
        resources=GROUPS,
        InputDataConfig=[for_readers, channel("all", "parts/")],
    )
    assert bench.ended("hosts-script")["TrainingJobStatus"] == "Completed", said(bench, "hosts-script")
    told = {
        host: json.loads(next(line for line in lines if line.startswith("TOLD ")).removeprefix("TOLD "))
        for host, lines in said(bench, "hosts-script").items()
    }
    groups = {
        "readers": {"instance_group_name": "readers", "instance_type": "ml.c5.xlarge", "hosts": ["algo-1"]},
        "trainers": {"instance_group_name": "trainers", "instance_type": "ml.m5.large", "hosts": ["algo-2", "algo-3"]},
    }
    for host, group in (("algo-1", "readers"), ("algo-2", "trainers"), ("algo-3", "trainers")):
        plain = {
            name: value for name, value in told[host].items() if name.startswith("CURRENT_") or name == "IS_HETERO"
        }
        assert plain.pop("CURRENT_INSTANCE_GROUP_HOSTS") == json.dumps(groups[group]["hosts"]).replace(" ", "")
        assert plain == {
            "CURRENT_HOST": host,
            "CURRENT_INSTANCE_TYPE": groups[group]["instance_type"],
            "CURRENT_INSTANCE_GROUP": group,
            "IS_HETERO": "true",
        }
        found = {name: json.loads(value) for name, value in told[host].items() if name not in plain}
        assert found["HOSTS"] == ["algo-1", "algo-2", "algo-3"]
        assert found["INSTANCE_GROUPS"] == ["readers", "trainers"]
        assert found["INSTANCE_GROUPS_DICT"] == groups
        assert found["DISTRIBUTION_INSTANCE_GROUPS"] == ["trainers"]
        assert found["CHANNELS"] == (["all", "rows"] if group == "readers" else ["all"])
        assert found["RESOURCE_CONFIG"]["instance_groups"] == list(groups.values())
        master = found["TRAINING_ENV"]["master_hostname"], found["TRAINING_ENV"]["is_master"]
        assert master == ("algo-2", host == "algo-2"), "the first of those that train together"


BOOSTING = """
import os
import xgboost
from sagemaker_containers import entry_point
from sagemaker_training.environment import Environment
from sagemaker_xgboost_container import distributed
from sagemaker_xgboost_container.data_utils import get_dmatrix

def boost(params, rows, folder, is_master):
    booster = xgboost.train(params, rows, 3)
    if is_master:
        booster.save_model(os.path.join(folder, "xgboost-model"))
        print("SAVED", xgboost.collective.get_world_size(), rows.num_row())
        print("[2]\\ttrain-rmse:0.25")

job = Environment()
rows = get_dmatrix(job.channel_input_dirs["rows"], "csv")
told = {"params": {"max_depth": 2}, "rows": rows, "folder": job.model_dir}
entry_point._wait_hostname_resolution()
distributed.rabit_run(boost, told, rows is not None, job.hosts, job.current_host, update_rabit_args=True)
"""


def test_a_script_boosts_on_two_hosts_as_awss_example_does(bench: Bench) -> None:
    for part in ("a", "b"):
        bench.s3.put_object(Bucket=BUCKET, Key=f"boosting/{part}.csv", Body=b"1,2,3\n0,3,4\n")
    sharded = channel("rows", "boosting/")
    sharded["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    trained(bench, "hosts-boosting", XGBOOST, BOOSTING, 2, {}, InputDataConfig=[sharded])
    assert "xgboost-model" in completed(bench, "hosts-boosting")
    lines = [line for host in said(bench, "hosts-boosting").values() for line in host]
    assert [line for line in lines if line.startswith("SAVED")] == ["SAVED 2 2"]
    metrics = {each["MetricName"]: each["Value"] for each in bench.ended("hosts-boosting")["FinalMetricDataList"]}
    assert metrics == {"train:rmse": 0.25}, "the image's own metrics are read from what a script prints"


MEET = (
    "import socket, time\n"
    "who = socket.gethostname()\n"
    "if who == 'algo-1':\n"
    "    print('heard', socket.create_server((who, 7000)).accept()[0].recv(9).decode())\n"
    "else:\n"
    "    for _ in range(500):\n"
    "        try: peer = socket.create_connection(('algo-1', 7000)); break\n"
    "        except OSError: time.sleep(0.01)\n"
    "    peer.sendall(who.encode())\n"
)


@pytest.mark.parametrize("isolated", [False, True])
def test_instances_talk_to_each_other(bench: Bench, isolated: bool) -> None:
    name = f"hosts-talk-{str(isolated).lower()}"
    job = bench.run(
        name,
        'python3 -u -c "$SCRIPT"',
        Environment={"SCRIPT": MEET},
        ResourceConfig=TWO,
        EnableNetworkIsolation=isolated,
    )
    assert job["TrainingJobStatus"] == "Completed", (job, said(bench, name))
    assert said(bench, name)["algo-1"] == ["heard algo-2"]


def test_each_instance_has_its_own_share_whatever_names_the_objects(bench: Bench) -> None:
    """Dealt out among the hosts that get the channel at all: of one group, or of all."""
    every = [f"{number}.csv" for number in range(5)]
    listed = json.dumps([{"prefix": f"s3://{BUCKET}/parts/"}, *every])
    lines = "\n".join(json.dumps({"row-ref": f"s3://{BUCKET}/parts/{name}", "name": name}) for name in every)
    for key, content in {"lists/parts": listed, "lists/lines": lines}.items():
        bench.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def piped(name: str, key: str, kind: str, **more: Any) -> dict[str, Any]:
        source = {"S3DataType": kind, "S3Uri": f"s3://{BUCKET}/{key}", "S3DataDistributionType": "ShardedByS3Key"}
        return {"ChannelName": name, "InputMode": "Pipe", "DataSource": {"S3DataSource": {**source, **more}}}

    channels = [
        piped("rows", "parts/", "S3Prefix", InstanceGroupNames=["trainers"]),
        piped("listed", "lists/parts", "ManifestFile"),
        piped("lines", "lists/lines", "AugmentedManifestFile", AttributeNames=["name", "row-ref"]),
    ]
    script = (
        "cd /opt/ml/input/data; for n in rows listed lines; do [ ! -e ${n}_0 ] || tr '\\n' ' ' < ${n}_0; echo .; done"
    )
    job = bench.run("hosts-pipes", script, ResourceConfig=GROUPS, InputDataConfig=channels)
    assert job["TrainingJobStatus"] == "Completed", (job, said(bench, "hosts-pipes"))
    assert said(bench, "hosts-pipes") == {
        "algo-1": [".", "0,0 3,0 .", "0.csv0,0 3.csv3,0 ."],
        "algo-2": ["0,0 2,0 4,0 .", "1,0 4,0 .", "1.csv1,0 4.csv4,0 ."],
        "algo-3": ["1,0 3,0 .", "2,0 .", "2.csv2,0 ."],
    }


def test_one_that_fails_fails_the_job_with_its_reason(bench: Bench) -> None:
    script = (
        "[ $(hostname) = algo-1 ] && sleep 600; mkdir -p /opt/ml/output;"
        "echo 'no luck on algo-2' > /opt/ml/output/failure; exit 4"
    )
    job = bench.run("hosts-unlucky", script, ResourceConfig=TWO)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no luck on algo-2, exit code: 4"


def test_stopping_keeps_what_each_saved(bench: Bench) -> None:
    script = "trap 'echo saved > /opt/ml/model/$(hostname); exit 0' TERM; echo up; while :; do sleep 0.05; done"
    bench.create("hosts-stopped", script, ResourceConfig=TWO)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if said(bench, "hosts-stopped") == {"algo-1": ["up"], "algo-2": ["up"]}:
                break
        except bench.logs.exceptions.ResourceNotFoundException:
            pass
        time.sleep(0.05)
    bench.sagemaker.stop_training_job(TrainingJobName="hosts-stopped")
    assert bench.ended("hosts-stopped")["TrainingJobStatus"] == "Stopped"
    assert sorted(archive(bench, "output/hosts-stopped/output/model.tar.gz")) == ["algo-1", "algo-2"]


COUNTING = (
    "cd /opt/ml/checkpoints; trap 'echo notice; exit 0' TERM; me=$(hostname); n=0; [ -e $me ] && n=$(cat $me);"
    'echo "from $n"; while [ $n -lt 20 ]; do n=$((n + 1)); echo $n > .$me; mv .$me $me; echo "round $n"; '
    "sleep 0.2; done;"
    "ls | tr '\\n' ' '; echo"
)


def test_an_interrupted_job_goes_on_on_all_hosts(bench: Bench) -> None:
    """Their checkpoints lie together in S3; each host finds its own, and the others' as they were at the start."""
    bench.create(
        "hosts-spot",
        'eval "$SCRIPT"',
        Environment={"SCRIPT": COUNTING},
        ResourceConfig=TWO,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 300, "MaxWaitTimeInSeconds": 600},
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/hosts-spot"},
    )
    bench.says("hosts-spot", "round 3")
    command = [sys.executable, "-m", "cloche.cli.main", "jobs", "interrupt", "hosts-spot", "--away", "1"]
    subprocess.run([*command, "--data", str(bench.server.data)], check=True, capture_output=True)
    job = bench.ended("hosts-spot")
    assert job["TrainingJobStatus"] == "Completed", job
    streams = bench.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix="hosts-spot/")["logStreams"]
    runs: dict[str, list[list[str]]] = {"algo-1": [], "algo-2": []}
    for name in (stream["logStreamName"] for stream in streams):
        events = bench.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=name, startFromHead=True)["events"]
        runs[name.removeprefix("hosts-spot/").rpartition("-")[0]].append([event["message"] for event in events])
    for first, second in runs.values():
        assert first[0] == "from 0"
        assert first[-1] == "notice"
        done = int([line for line in first if line.startswith("round")][-1].split()[1])
        assert second[0] in (f"from {done}", f"from {done + 1}")  # notice may come before the last is told
        assert second[-2] == "round 20"
        assert second[-1].split() == ["algo-1", "algo-2"]
    for host in runs:
        assert bench.s3.get_object(Bucket=BUCKET, Key=f"hosts-spot/{host}")["Body"].read() == b"20\n"


def test_the_command_names_the_host_of_a_line(bench: Bench) -> None:
    bench.run("hosts-lines", "echo here", ResourceConfig=TWO)
    command = [sys.executable, "-m", "cloche.cli.main", "logs", "hosts-lines", "--data", str(bench.server.data)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[algo-1] here", "[algo-2] here"]
    bench.run("hosts-line", "echo here")
    ran = subprocess.run([*command[:4], "hosts-line", *command[5:]], capture_output=True, text=True, check=True)
    assert ran.stdout == "here\n"


def test_time_is_up_for_all(bench: Bench) -> None:
    limit = {"MaxRuntimeInSeconds": 1}
    job = bench.run("hosts-endless", "exec sleep 600", ResourceConfig=TWO, StoppingCondition=limit)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_server_that_is_killed_finds_all_instances_again(start_server: Any) -> None:
    server = start_server()
    bench = Bench(server)
    script = "echo before; while [ ! -e /opt/ml/go ]; do sleep 0.05; done; echo after"
    bench.create("hosts-adopted", script, ResourceConfig=TWO)
    bench.says("hosts-adopted", "before")
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    for folder in server.data.glob("run/training/training-hosts-adopted-*/**/ml"):
        (folder / "go").touch()
    again = start_server(data=server.data)
    bench = Bench(again)
    job = bench.ended("hosts-adopted")
    assert job["TrainingJobStatus"] == "Completed", job
    assert said(bench, "hosts-adopted") == {"algo-1": ["before", "after"], "algo-2": ["before", "after"]}


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"InstanceType": "ml.m5.large", "InstanceCount": 65}, "64"),
        ({**GROUPS, "InstanceType": "ml.m5.large"}, "only one may be given"),
        ({**GROUPS, "InstanceGroups": [GROUPS["InstanceGroups"][0]] * 2}, "called readers"),  # type: ignore[index]
        (
            {"InstanceGroups": [{"InstanceGroupName": "g", "InstanceType": "ml.m5.large", "InstanceCount": 0}]},
            "no inst",
        ),
        ({"VolumeSizeInGB": 1}, "InstanceGroups"),
    ],
)
def test_clusters_that_cannot_be(bench: Bench, resources: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        bench.create("never", ResourceConfig={"VolumeSizeInGB": 1, **resources})
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_channel_for_a_group_that_is_not_there(bench: Bench) -> None:
    lost = channel("rows", "parts/")
    lost["DataSource"]["S3DataSource"]["InstanceGroupNames"] = ["nobody"]
    with pytest.raises(ClientError, match="nobody"):
        bench.create("never", ResourceConfig=GROUPS, InputDataConfig=[lost])

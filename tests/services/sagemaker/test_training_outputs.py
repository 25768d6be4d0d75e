"""What a job leaves in S3 beside its archive: files one by one, and checkpoints while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from training_requests import BUCKET, Bench, channel

OUTPUT = f"s3://{BUCKET}/output"


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def keys(bench: Bench, prefix: str) -> dict[str, bytes]:
    found = bench.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {
        each["Key"].removeprefix(prefix): bench.s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
        for each in found
    }


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(what)


def test_an_uncompressed_model_is_an_object_for_each_file(bench: Bench) -> None:
    script = "cd $CLOCHE_ML_ROOT/model; mkdir deep; echo 1 > weights; echo 2 > deep/more; ln -s /etc/passwd outside"
    given = {"S3OutputPath": OUTPUT, "CompressionType": "NONE"}
    job = bench.run("uncompressed", script + "; echo plot > ../output/data/plot", OutputDataConfig=given)
    assert job["TrainingJobStatus"] == "Completed", job
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"{OUTPUT}/uncompressed/output/model/"
    assert job["OutputDataConfig"]["CompressionType"] == "NONE"
    found = keys(bench, "output/uncompressed/output/")
    assert sorted(found) == ["model/deep/more", "model/weights", "output.tar.gz"]
    assert (found["model/weights"], found["model/deep/more"]) == (b"1\n", b"2\n")


@pytest.mark.parametrize("folder", ["model", "checkpoints"])
def test_a_file_name_that_no_key_can_be_is_told(bench: Bench, folder: str) -> None:
    script = f"cd $CLOCHE_ML_ROOT/{folder}; echo 1 > good; echo 2 > \"$(printf 'b\\377d')\""
    given = {"S3OutputPath": OUTPUT, "CompressionType": "NONE"}
    job = bench.run(f"odd-{folder}", script, OutputDataConfig=given, **checkpointed("odd/"))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Artifact upload failed: the file name '"), job
    assert list(keys(bench, "odd/")) == (["good"] if folder == "checkpoints" else [])


def checkpointed(prefix: str, **changes: str) -> dict[str, Any]:
    return {"CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/{prefix}", **changes}}


def test_checkpoints_go_to_s3_while_the_job_runs(bench: Bench) -> None:
    script = (
        "cd $CLOCHE_ML_ROOT/checkpoints; mkdir -p deep; echo one > one; echo no > part.sagemaker-ignore; "
        "ln -s /etc/passwd passwd; echo two > deep/two; echo written; "
        "until [ -e go ]; do sleep 0.1; [ $((n += 1)) -gt 200 ] && break; done; rm one; echo three > three"
    )
    bench.create("kept", script, **checkpointed("kept/"))
    until(lambda: set(keys(bench, "kept/")) == {"one", "deep/two"}, "checkpoints while the job runs")
    assert bench.describe("kept")["TrainingJobStatus"] == "InProgress"
    bench.sagemaker.stop_training_job(TrainingJobName="kept")
    assert bench.ended("kept")["CheckpointConfig"]["S3Uri"] == f"s3://{BUCKET}/kept/"
    assert keys(bench, "kept/") == {"one": b"one\n", "deep/two": b"two\n"}


def test_the_last_checkpoints_are_there_when_the_job_has_ended(bench: Bench) -> None:
    script = "cd $CLOCHE_ML_ROOT/checkpoints; for n in 1 2 3; do echo $n > c.$n; done; rm c.1; exit 3"
    job = bench.run("last", script, **checkpointed("last"))
    assert job["TrainingJobStatus"] == "Failed"
    assert keys(bench, "last/") == {"c.2": b"2\n", "c.3": b"3\n"}


def test_what_is_in_s3_is_there_at_the_start_and_removed_when_the_job_removes_it(bench: Bench) -> None:
    for name in ("old", "deep/older"):
        bench.s3.put_object(Bucket=BUCKET, Key=f"resumed/{name}", Body=name.encode())
    before = bench.s3.head_object(Bucket=BUCKET, Key="resumed/old")["LastModified"]
    script = "cd $CLOCHE_ML_ROOT/checkpoints; cat old deep/older; echo; sleep 3.5; rm deep/older; sleep 2.5"
    bench.run("resumed", script, **checkpointed("resumed"))
    assert bench.lines("resumed") == ["olddeep/older"]
    assert keys(bench, "resumed/") == {"old": b"old"}
    assert bench.s3.head_object(Bucket=BUCKET, Key="resumed/old")["LastModified"] == before


def test_a_file_that_is_being_written_is_not_stored(bench: Bench) -> None:
    script = (
        "cd $CLOCHE_ML_ROOT/checkpoints; exec 3> slow; printf begun >&3; sleep 4; printf ' ended' >&3; exec 3>&-; "
        "echo closed; sleep 60"
    )
    bench.create("slowly", script, **checkpointed("slowly"))
    seen: list[bytes] = []

    def look() -> bool:
        found = keys(bench, "slowly/")
        if "slow" in found:
            seen.append(found["slow"])
        return bool(seen)

    until(look, "the checkpoint")
    bench.sagemaker.stop_training_job(TrainingJobName="slowly")
    bench.ended("slowly")
    assert seen == [b"begun ended"]


def test_another_local_path(bench: Bench) -> None:
    if not bench.server.log().count("bubblewrap"):
        pytest.skip("a plain process has no other place")
    bench.s3.put_object(Bucket=BUCKET, Key="elsewhere/a", Body=b"given")
    script = "cat /tmp/kept/a; echo; echo b > /tmp/kept/b; cat $CLOCHE_ML_ROOT/input/config/checkpointconfig.json"
    job = bench.run("elsewhere", script, **checkpointed("elsewhere", LocalPath="/tmp/kept"))
    assert job["TrainingJobStatus"] == "Completed", job
    assert bench.lines("elsewhere")[0] == "given"
    assert bench.lines("elsewhere")[1] == (f'{{"S3Uri": "s3://{BUCKET}/elsewhere", "LocalPath": "/tmp/kept"}}')
    assert keys(bench, "elsewhere/") == {"a": b"given", "b": b"b\n"}


@pytest.mark.parametrize(
    "path", ["relative", "/", "/opt/ml", "/opt/ml/input/data", "/usr/x", "/opt/../etc", "/opt/ml/model"]
)
def test_folders_that_are_not_for_checkpoints(bench: Bench, path: str) -> None:
    with pytest.raises(ClientError, match="cannot be a folder for checkpoints"):
        bench.create("misplaced", **checkpointed("x", LocalPath=path))


def tensorboard(prefix: str, **changes: str) -> dict[str, Any]:
    return {"TensorBoardOutputConfig": {"S3OutputPath": f"s3://{BUCKET}/{prefix}", **changes}}


def test_what_tensorboard_reads_goes_to_s3_while_the_job_runs(bench: Bench) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key="board/boarded/tensorboard-output/of-before", Body=b"")
    script = "cd $CLOCHE_ML_ROOT/output/tensorboard; ls; mkdir run; echo one > run/events; echo written; sleep 60"
    bench.create("boarded", script, **tensorboard("board/"))
    until(lambda: "run/events" in keys(bench, "board/boarded/tensorboard-output/"), "events while the job runs")
    assert bench.describe("boarded")["TrainingJobStatus"] == "InProgress"
    bench.sagemaker.stop_training_job(TrainingJobName="boarded")
    job = bench.ended("boarded")
    assert job["TensorBoardOutputConfig"] == {"S3OutputPath": f"s3://{BUCKET}/board/"}
    assert bench.lines("boarded")[0] == "written", "nothing is fetched"
    found = keys(bench, "board/boarded/tensorboard-output/")
    assert found == {"of-before": b"", "run/events": b"one\n"}


@pytest.mark.parametrize("path", ["/opt/ml/output/logs", "/tmp/board"])
def test_tensorboard_elsewhere(bench: Bench, path: str) -> None:
    if not path.startswith("/opt/ml") and not bench.server.log().count("bubblewrap"):
        pytest.skip("a plain process has no other place")
    name = f"board-{path.rpartition('/')[2]}"
    folder = path.replace("/opt/ml", "$CLOCHE_ML_ROOT")
    job = bench.run(name, f"echo last > {folder}/events", **tensorboard("elsewhere", LocalPath=path))
    assert job["TrainingJobStatus"] == "Completed", job
    assert keys(bench, f"elsewhere/{name}/tensorboard-output/") == {"events": b"last\n"}


@pytest.mark.parametrize(
    "path", ["relative", "/opt/ml", "/opt/ml/output", "/opt/ml/input/data", "/usr/x", "/opt/../etc"]
)
def test_folders_that_are_not_for_tensorboard(bench: Bench, path: str) -> None:
    with pytest.raises(ClientError, match="cannot be a folder for TensorBoard's files"):
        bench.create("misplaced", **tensorboard("x", LocalPath=path))


def test_tensorboard_and_checkpoints_have_each_their_folder(bench: Bench) -> None:
    both = {**checkpointed("both"), **tensorboard("both", LocalPath="/opt/ml/checkpoints")}
    with pytest.raises(ClientError, match="give each its own"):
        bench.create("one-for-both", **both)


def test_a_bucket_for_checkpoints_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(ClientError, match=r'The bucket "nowhere-at-all" given in CheckpointConfig.S3Uri'):
        bench.create("homeless", CheckpointConfig={"S3Uri": "s3://nowhere-at-all/x"})


def test_xgboost_goes_on_from_its_checkpoints(bench: Bench) -> None:
    rows = "".join(f"{n % 2},{n % 7},{n % 3}\n" for n in range(40))
    bench.s3.put_object(Bucket=BUCKET, Key="boost/rows.csv", Body=rows)
    image = bench.request("x")["AlgorithmSpecification"]["TrainingImage"]
    common = {
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "FastFile"},
        "InputDataConfig": [channel("train", "boost/")],
        **checkpointed("boosting-goes-on"),
    }
    bench.create("boosted-1", HyperParameters={"num_round": "6"}, **common)
    assert bench.ended("boosted-1")["TrainingJobStatus"] == "Completed", bench.lines("boosted-1")
    assert sorted(keys(bench, "boosting-goes-on/")) == [f"xgboost-checkpoint.{n}" for n in range(1, 6)]
    bench.create("boosted-2", HyperParameters={"num_round": "9"}, **common)
    assert bench.ended("boosted-2")["TrainingJobStatus"] == "Completed"
    rounds = [line for line in bench.lines("boosted-2") if line.startswith("[") and "train-" in line]
    assert [line.split("#011")[0] for line in rounds] == ["[6]", "[7]", "[8]"]


def test_what_a_host_uses_is_in_cloudwatch(bench: Bench) -> None:
    bench.create("measured-host", "while :; do :; done")
    names = {"CPUUtilization", "MemoryUtilization", "DiskUtilization"}
    dimensions = [{"Name": "Host", "Value": "measured-host/algo-1"}]

    def measured() -> dict[str, float]:
        end = time.time() + 60
        found = {
            name: bench.cloudwatch.get_metric_statistics(
                Namespace="/aws/sagemaker/TrainingJobs",
                MetricName=name,
                Dimensions=dimensions,
                StartTime=end - 900,
                EndTime=end,
                Period=900,
                Statistics=["Maximum"],
            )["Datapoints"]
            for name in names
        }
        return {name: points[0]["Maximum"] for name, points in found.items() if points}

    until(lambda: set(measured()) == names, "all three metrics")
    bench.sagemaker.stop_training_job(TrainingJobName="measured-host")
    bench.ended("measured-host")
    assert measured()["CPUUtilization"] > 0
    assert 0 < measured()["MemoryUtilization"] < 100

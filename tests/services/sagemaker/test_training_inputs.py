"""Input modes and data sources, told by unmodified boto3 clients: what a job finds is what S3 holds."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from training_requests import BUCKET, Bench, channel

READ = """
import hashlib, os, sys
data = os.environ.get("CLOCHE_ML_ROOT", "/opt/ml") + "/input/data/"
for name in sys.argv[1:]:
    with open(data + name, "rb") as stream:
        content = stream.read()
    print(name, len(content), hashlib.sha256(content).hexdigest()[:16], content[:60])
print(open(os.path.dirname(os.path.dirname(data)) + "/config/inputdataconfig.json").read())
"""


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    made = Bench(server)
    for number, content in enumerate((b"1,2\n", b"3,4\n", b"5,6\n")):
        made.s3.put_object(Bucket=BUCKET, Key=f"many/part-{number}.csv", Body=content)
        made.s3.put_object(Bucket=BUCKET, Key=f"zipped/part-{number}.csv.gz", Body=gzip.compress(content))
    made.s3.put_object(Bucket=BUCKET, Key="read/read.py", Body=READ.encode())
    made.s3.put_object(
        Bucket=BUCKET,
        Key="lists/list.manifest",
        Body=json.dumps([{"prefix": f"s3://{BUCKET}/many/"}, "part-2.csv", "part-0.csv"]),
    )
    lines = [{"image-ref": f"s3://{BUCKET}/many/part-{number}.csv", "label": number} for number in (1, 0)]
    made.s3.put_object(Bucket=BUCKET, Key="lists/augmented.manifest", Body="\n".join(map(json.dumps, lines)))
    return made


def piped(prefix: str, **changes: Any) -> dict[str, Any]:
    return channel("train", prefix, InputMode="Pipe", **changes)


def source(uri: str, **changes: Any) -> dict[str, Any]:
    return {"DataSource": {"S3DataSource": {"S3Uri": f"s3://{BUCKET}/{uri}", **changes}}}


def read(bench: Bench, name: str, train: dict[str, Any], *names: str) -> list[str]:
    script = "exec python3 $CLOCHE_ML_ROOT/input/data/read/read.py " + " ".join(names)
    job = bench.run(name, script, InputDataConfig=[train, channel("read", "read/")])
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), bench.lines(name))
    return bench.lines(name)


def contents(lines: list[str]) -> list[bytes]:
    return [eval(line.split(" ", 3)[3]) for line in lines[:-1]]


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_pipes_stream_every_object_in_each_epoch(bench: Bench) -> None:
    lines = read(bench, "piped", piped("many/"), "train_0", "train_1", "train_2")
    assert contents(lines) == [b"1,2\n3,4\n5,6\n"] * 3
    assert json.loads(lines[-1])["train"] == {
        "ContentType": "text/csv",
        "TrainingInputMode": "Pipe",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }


def test_large_objects_stream_whole(bench: Bench) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key="large/one", Body=b"0123456789abcdef" * 1_000_000)
    lines = read(bench, "piped-large", piped("large/"), "train_0", "train_1")
    assert len({line.split(" ", 1)[1] for line in lines[:-1]}) == 1
    assert lines[0].split()[1] == "16000000"


def test_gzip_is_undone_and_records_are_wrapped(bench: Bench) -> None:
    given = piped("zipped/", CompressionType="Gzip", RecordWrapperType="RecordIO")
    lines = read(bench, "piped-wrapped", given, "train_0")
    wrapped = [struct.pack("<II", 0xCED7230A, 4) + content for content in (b"1,2\n", b"3,4\n", b"5,6\n")]
    assert contents(lines) == [b"".join(wrapped)]
    assert json.loads(lines[-1])["train"]["RecordWrapperType"] == "RecordIO"


def test_shuffled_pipes_hold_the_same_in_another_order(bench: Bench) -> None:
    names = [f"train_{epoch}" for epoch in range(8)]
    epochs = contents(read(bench, "piped-shuffled", piped("many/", ShuffleConfig={"Seed": 1}), *names))
    assert epochs == contents(read(bench, "piped-again", piped("many/", ShuffleConfig={"Seed": 1}), *names))
    assert len(set(epochs)) > 1
    assert {tuple(sorted(epoch.split())) for epoch in epochs} == {(b"1,2", b"3,4", b"5,6")}


def test_augmented_manifests_stream_attributes(bench: Bench) -> None:
    given = source(
        "lists/augmented.manifest", S3DataType="AugmentedManifestFile", AttributeNames=["label", "image-ref"]
    )
    lines = read(bench, "augmented", piped("", **given), "train_0")
    assert contents(lines) == [b"13,4\n01,2\n"]


def test_a_manifest_names_the_files(bench: Bench) -> None:
    given = channel("train", "", **source("lists/list.manifest", S3DataType="ManifestFile"))
    lines = read(bench, "listed", given, "train/part-0.csv", "train/part-2.csv")
    assert contents(lines) == [b"1,2\n", b"5,6\n"]
    script = "ls $CLOCHE_ML_ROOT/input/data/train"
    bench.run("listed-all", script, InputDataConfig=[given])
    assert bench.lines("listed-all") == ["part-0.csv", "part-2.csv"]
    streamed = read(bench, "listed-piped", {**given, "InputMode": "Pipe"}, "train_0")
    assert contents(streamed) == [b"5,6\n1,2\n"]


def test_fast_file_is_a_folder_too(bench: Bench) -> None:
    algorithm = {**bench.request("x")["AlgorithmSpecification"], "TrainingInputMode": "FastFile"}
    algorithm["ContainerEntrypoint"][2] = (
        "cat $CLOCHE_ML_ROOT/input/data/train/*; cd $CLOCHE_ML_ROOT/input; cat config/in*"
    )
    job = bench.run("fast", AlgorithmSpecification=algorithm, InputDataConfig=[channel("train", "many/")])
    assert job["AlgorithmSpecification"]["TrainingInputMode"] == "FastFile"
    assert bench.lines("fast")[:3] == ["1,2", "3,4", "5,6"]
    assert json.loads(bench.lines("fast")[3])["train"]["TrainingInputMode"] == "File"


def test_the_algorithms_mode_is_the_channels_unless_it_has_its_own(bench: Bench) -> None:
    algorithm = {**bench.request("x")["AlgorithmSpecification"], "TrainingInputMode": "Pipe"}
    algorithm["ContainerEntrypoint"][2] = "cd $CLOCHE_ML_ROOT/input/data; cat one_0; cat two/*"
    channels = [channel("one", "many/part-0"), channel("two", "many/part-1", InputMode="File")]
    bench.run("both", AlgorithmSpecification=algorithm, InputDataConfig=channels)
    assert bench.lines("both") == ["1,2", "3,4"]


def test_a_pipe_that_nobody_reads_holds_nothing_up(bench: Bench) -> None:
    job = bench.run("unread", "echo done", InputDataConfig=[piped("many/")])
    assert job["TrainingJobStatus"] == "Completed"


def test_data_that_is_not_as_said_fails_the_job(bench: Bench) -> None:
    script = "cat $CLOCHE_ML_ROOT/input/data/train_0; sleep 60"
    job = bench.run("not-gzip", script, InputDataConfig=[piped("many/", CompressionType="Gzip")])
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(
        f"ClientError: Data download failed: channel train: s3://{BUCKET}/many/part-0.csv: it is no gzip data"
    )


def test_objects_stay_as_they_were_for_a_running_job(bench: Bench) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key="changing/one", Body=b"before")
    script = (
        "cd $CLOCHE_ML_ROOT/input/data; cat train_0; echo; until [ -e $CLOCHE_ML_ROOT/input/data/x ]; do "
        "sleep 0.2; [ $((n += 1)) -gt 10 ] && break; done; cat train_1"
    )
    bench.create("changing", script, InputDataConfig=[piped("changing/")])
    bench.says("changing", "before")
    bench.s3.delete_object(Bucket=BUCKET, Key="changing/one")
    bench.ended("changing")
    assert bench.lines("changing") == ["before", "before"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            channel("train", "zipped/", CompressionType="Gzip"),
            "Invalid compression type for channel train: File mode only supports NONE, got Gzip instead",
        ),
        (
            channel("train", "many/", RecordWrapperType="RecordIO", InputMode="FastFile"),
            "Invalid record wrapper type for channel train: FastFile mode only supports NONE, got RecordIO instead",
        ),
        (
            channel("train", "", **source("lists/augmented.manifest", S3DataType="AugmentedManifestFile")),
            "Channel train is given as an AugmentedManifestFile, which can only be used with input mode Pipe",
        ),
        (
            channel("train", "", **source("many/", S3DataType="S3Prefix", AttributeNames=["a"])),
            "Channel train has AttributeNames, which can only be used with S3DataType AugmentedManifestFile",
        ),
        (
            channel("train", "", **source("many/", S3DataType="Converse")),
            "Cloche does not support InputDataConfig.1.DataSource.S3DataSource.S3DataType (Converse)",
        ),
        (
            piped("", **source("lists/nowhere", S3DataType="ManifestFile")),
            f'No S3 objects found under S3 URL "s3://{BUCKET}/lists/nowhere" given in input data source.',
        ),
    ],
)
def test_what_does_not_go_together_is_refused(bench: Bench, given: dict[str, Any], message: str) -> None:
    code, said = refused(lambda: bench.create("refused", InputDataConfig=[given]))
    assert code == "ValidationException"
    assert said.startswith(message)


def test_a_channel_may_not_be_called_like_a_pipe(bench: Bench) -> None:
    channels = [piped("many/"), channel("train_1", "many/")]
    code, message = refused(lambda: bench.create("refused", InputDataConfig=channels))
    assert (code, message) == ("ValidationException", "Channel train_1 has the name of a pipe of channel train.")


def test_xgboost_trains_on_a_pipe_as_on_files(bench: Bench) -> None:
    rows = [f"{n % 2},{n % 7},{n % 3}\n" for n in range(60)]
    for number in range(3):
        bench.s3.put_object(Bucket=BUCKET, Key=f"boosted/{number}.csv", Body="".join(rows[number::3]))
    image = bench.request("x")["AlgorithmSpecification"]["TrainingImage"]
    said = {}
    for mode in ("File", "Pipe"):
        bench.create(
            f"boosted-{mode.lower()}",
            AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": mode},
            HyperParameters={"num_round": "4", "objective": "binary:logistic"},
            InputDataConfig=[channel("train", "boosted/")],
        )
        job = bench.ended(f"boosted-{mode.lower()}")
        assert job["TrainingJobStatus"] == "Completed", job
        said[mode] = [line for line in bench.lines(job["TrainingJobName"]) if line.startswith("[") and "train-" in line]
    assert len(said["File"]) == 4
    assert said["Pipe"] == said["File"]

"""Transform jobs over a real XGBoost model, from the request to the objects they leave."""

from __future__ import annotations

import gzip
import io
import json
import re
from array import array
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_requests import ROLE, archive, hosting_of, refused, trained, unique
from training_requests import NO_TRUST
from transform_requests import BUCKET, Transforming

from cloche.compute.local.sandbox import bubblewrap
from cloche_jobs.data.record import VALUES, Record, Tensor, write_records

SHARED = Path(__file__).resolve().parents[4] / "shared"
ARN = "arn:aws:sagemaker:us-east-1:123456789012:transform-job/"


@pytest.fixture(scope="module")
def bench(server: Any) -> Transforming:
    return Transforming(hosting_of(server), server)


@pytest.fixture(scope="module")
def model(bench: Transforming) -> str:
    return bench.hosting.model(bench.hosting.put(trained(1)[0]))


def test_files_become_answers_beside_each_other(bench: Transforming, model: str) -> None:
    uri = bench.put({"one.csv": b"0.5,1.0\n1.5,1.0\n", "deep/two.csv": b"0.5,1.0\n"})
    experiment = {"ExperimentName": unique("experiment")}
    bench.sagemaker.create_experiment(**experiment)
    job = bench.run(model, uri, ExperimentConfig=experiment, ModelClientConfig={"InvocationsMaxRetries": 1})
    name = job["TransformJobName"]
    assert job["TransformJobStatus"] == "Completed", job
    assert job["TransformJobArn"] == ARN + name
    assert job["CreationTime"] <= job["TransformStartTime"] <= job["TransformEndTime"]
    assert job["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    assert job["ExperimentConfig"] == experiment
    assert job["ModelClientConfig"] == {"InvocationsMaxRetries": 1}
    assert "FailureReason" not in job
    found = bench.outputs(job)
    assert set(found) == {"one.csv.out", "deep/two.csv.out"}
    assert float(found["deep/two.csv.out"]) == pytest.approx(trained(1)[1], abs=1e-6)
    assert found["one.csv.out"].startswith(found["deep/two.csv.out"]) and found["one.csv.out"].count(b"\n") == 2
    assert any("Model objective" in line for line in bench.lines(name))
    (line,) = bench.lines(name, "/data-log")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}:\[sagemaker logs\]: "
        r"MaxConcurrentTransforms=\d+, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD",
        line,
    )
    streams = bench.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix=f"{name}/"
    )["logStreams"]
    assert all(re.match(rf"{name}/i-[0-9a-f]{{17}}-\d{{10}}(/data-log)?$", each["logStreamName"]) for each in streams)
    listed = bench.sagemaker.list_transform_jobs(NameContains=name, StatusEquals="Completed")["TransformJobSummaries"]
    assert [each["TransformJobArn"] for each in listed] == [ARN + name]
    assert listed[0]["TransformEndTime"] == job["TransformEndTime"]
    waiter = bench.sagemaker.get_waiter("transform_job_completed_or_stopped")
    waiter.wait(TransformJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 2})


def test_gzip_a_manifest_and_records_one_by_one(bench: Transforming, model: str) -> None:
    uri = bench.put({"part/a.csv.gz": gzip.compress(b"0.5,1.0\n1.5,1.0\n"), "part/left": b"not this"})
    manifest = json.dumps([{"prefix": uri}, "part/a.csv.gz"]).encode()
    bench.s3.put_object(Bucket=BUCKET, Key="manifests/one", Body=manifest)
    source = {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": f"s3://{BUCKET}/manifests/one"}}
    job = bench.run(
        model,
        uri,
        Input={"DataSource": source, "CompressionType": "Gzip"},
        BatchStrategy="SingleRecord",
        MaxPayloadInMB=1,
        MaxConcurrentTransforms=3,
    )
    assert job["TransformJobStatus"] == "Completed", job
    found = bench.outputs(job)
    assert list(found) == ["part/a.csv.gz.out"] and len(found["part/a.csv.gz.out"].split()) == 2
    assert bench.lines(job["TransformJobName"], "/data-log")[0].endswith(
        "MaxConcurrentTransforms=3, MaxPayloadInMB=1, BatchStrategy=SINGLE_RECORD"
    )


def test_records_of_recordio_protobuf(bench: Transforming, model: str) -> None:
    """The frame goes with several records in a payload; built-in XGBoost reads no record without one."""
    written = io.BytesIO()
    rows = ((0.5, 1.0), (1.5, 1.0))
    write_records([Record(features={VALUES: Tensor("float32", array("f", row))}) for row in rows], written)
    kind = {"ContentType": "application/x-recordio-protobuf", "SplitType": "RecordIO"}
    uri = bench.put({"a.rec": written.getvalue(), "bad.rec": written.getvalue() + b"no record"})
    job = bench.run(model, uri, Input=kind)
    assert job["FailureReason"].startswith(
        "ClientError: See job logs for more information: bad.rec, record 3: the file is no RecordIO: byte "
    )
    answers = bench.outputs(job)["a.rec.out"].split()
    assert len(answers) == 2 and float(answers[0]) == pytest.approx(trained(1)[1], abs=1e-6)


def test_an_id_column_is_kept_from_the_model_and_joined_to_its_answer(bench: Transforming, model: str) -> None:
    uri = bench.put({"a.csv": b'"x, y",0.50,1.0\nz,0.5,1.0\n'})
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    job = bench.run(model, uri, DataProcessing=processing)
    assert job["TransformJobStatus"] == "Completed", job
    one, other = bench.outputs(job)["a.csv.out"].decode().splitlines()
    assert one.startswith('"x, y",') and other.startswith("z,")
    assert float(one.rpartition(",")[2]) == float(other.rpartition(",")[2]) == pytest.approx(trained(1)[1], abs=1e-6)


@pytest.mark.skipif(not SHARED.is_dir(), reason="NOT TESTED: ../shared is not here")
def test_the_recorded_case_of_a_batch_that_is_monitored(bench: Transforming) -> None:
    """mm-bias-01-churn-batch: the first record and its prediction to the last digit, and the manifest's form."""
    data = SHARED / "data" / "churn-telco"
    case = SHARED / "reference" / "cases" / "mm-bias-01-churn-batch" / "expected"
    packed = archive({"xgboost-model": (data / "xgb-churn-model.json").read_bytes()})
    image = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:0.90-1-cpu-py3"
    churn = bench.hosting.model(bench.hosting.put(packed), image=image)
    given = (data / "test-dataset-input-cols.csv").read_bytes()
    uri = bench.put({"test-dataset-input-cols.csv": given})
    capture = f"s3://{BUCKET}/{unique('capture')}"
    job = bench.run(
        churn,
        f"{uri}test-dataset-input-cols.csv",
        DataProcessing={"JoinSource": "Input"},
        DataCaptureConfig={"DestinationS3Uri": capture, "GenerateInferenceId": True, "KmsKeyId": "k"},
    )
    assert job["TransformJobStatus"] == "Completed", job
    lines = bench.outputs(job)["test-dataset-input-cols.csv.out"].decode().splitlines()
    assert len(lines) == 334
    recorded = json.loads((case / "merged_record.json").read_text())["captureData"]["batchTransformOutput"]["data"]
    first = lines[0].split(",")
    assert first[69] == recorded.split(",")[69] == "0.01584203727543354"
    assert list(map(float, first[:69])) == list(map(float, recorded.split(",")[:69]))
    assert first[:69] == given.decode().splitlines()[0].split(",")
    assert [round(float(line.split(",")[69]), 6) for line in lines[:5]] == [
        0.015842,
        0.010764,
        0.008151,
        0.171978,
        0.007273,
    ]
    assert len(first) == 72 and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first[70])
    assert len({line.split(",")[70] for line in lines}) == 334
    started = job["TransformStartTime"].astimezone(UTC)
    assert abs((datetime.fromisoformat(first[71]) - started).total_seconds()) < 2
    expected = json.loads((case / "data_capture_manifest.json").read_text())
    prefix = capture.removeprefix(f"s3://{BUCKET}/")
    stored = {}
    for each in bench.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]:
        which = re.fullmatch(rf"{prefix}/(input|output)/{started:%Y/%m/%d/%H}/[0-9a-f-]{{36}}\.json", each["Key"])
        assert which is not None, each["Key"]
        stored[which[1]] = json.loads(bench.s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read())
    assert stored["output"] == [{"prefix": job["TransformOutput"]["S3OutputPath"] + "/"}, *expected[1:]]
    assert stored["input"] == [{"prefix": uri}, "test-dataset-input-cols.csv"]


def test_a_file_that_is_not_what_it_says_fails_the_job_and_no_other_file(bench: Transforming, model: str) -> None:
    rows = b"".join(b"%d.0,1.0\n" % number for number in range(400))
    bad = rows.replace(b"301.0,", b"seven,")
    job = bench.run(model, bench.put({"bad.csv": bad, "good.csv": b"0.5,1.0\n", "ragged.csv": b"1,2\n3\n"}))
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: See job logs for more information: bad.csv, line 302: ")
    assert "could not convert string to float: 'seven'" in job["FailureReason"]
    assert job["FailureReason"].endswith("(1 more of 3 files failed.)")
    assert set(bench.outputs(job)) == {"good.csv.out"}
    log = bench.lines(job["TransformJobName"], "/data-log")
    assert any(line.endswith("ragged.csv: ClientError: 415") for line in log)
    assert any("ragged.csv: line 2: Failed to parse input as CSV: 1 columns where" in line for line in log)


def test_a_model_that_cannot_be_loaded_or_is_not_there(bench: Transforming) -> None:
    uri = bench.put({"a.csv": b"1,2\n"})
    broken = bench.hosting.model(bench.hosting.put(archive({"xgboost-model": b"no model"})))
    job = bench.run(broken, uri)
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ") and job["FailureReason"].endswith("exit code: 1")
    gone = bench.hosting.put(archive({"x": b"x"}))
    named = bench.hosting.model(gone)
    bench.s3.delete_object(Bucket=BUCKET, Key=gone.removeprefix(f"s3://{BUCKET}/"))
    job = bench.run(named, uri)
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"] == f"ClientError: Failed to download model data for container: {gone} is not there."


@pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap")
def test_files_are_dealt_out_among_instances(bench: Transforming, model: str) -> None:
    uri = bench.put({f"{number}.csv": b"%d,1\n" % number for number in range(5)})
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 2}
    job = bench.run(model, uri, TransformResources=resources)
    assert job["TransformJobStatus"] == "Completed", job
    assert set(bench.outputs(job)) == {f"{number}.csv.out" for number in range(5)}
    streams = bench.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix=f"{job['TransformJobName']}/"
    )["logStreams"]
    assert len({each["logStreamName"].split("/")[1] for each in streams}) == 2
    assert len(bench.lines(job["TransformJobName"], "/data-log")) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ModelName": "none"}, 'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/none".'),
        ({"MaxPayloadInMB": 101}, "MaxPayloadInMB is 101; the maximum is 100."),
        ({"MaxPayloadInMB": 50, "MaxConcurrentTransforms": 3}, "MaxConcurrentTransforms * MaxPayloadInMB"),
        ({"DataProcessing": {"InputFilter": "1:"}}, "DataProcessing.InputFilter is no JSONPath"),
        ({"DataProcessing": {"InputFilter": "$.id"}}, "names attributes; of a row of CSV only numbers"),
        ({"DataProcessing": {"JoinSource": "Input"}, "Input": {"ContentType": "image/png"}}, "it is image/png"),
        ({"DataProcessing": {"JoinSource": "Input"}, "Output": {"Accept": "application/json"}}, "own format"),
        ({"DataProcessing": {"JoinSource": "Input"}, "Input": {"SplitType": "RecordIO"}}, "SplitType RecordIO"),
        ({"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 99}}, "99 instances are asked for"),
        ({"Output": {"S3OutputPath": "s3://no-such-bucket-at-all/x"}}, "does not exist"),
        (
            {"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeKmsKeyId": "k"}},
            "TransformResources.VolumeKmsKeyId",
        ),
        (
            {"Input": {"DataSource": {"S3DataSource": {"S3DataType": "AugmentedManifestFile", "S3Uri": "s3://a/b"}}}},
            "S3DataType AugmentedManifestFile cannot be used",
        ),
        (
            {"Input": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/nowhere/"}}}},
            f'No S3 objects found under S3 URL "s3://{BUCKET}/nowhere/" given in input data source.',
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    bench: Transforming, model: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError) as error:
        bench.create(changes.pop("ModelName", model), bench.put({"a.csv": b"1,2\n"}), **changes)
    code, message = refused(error)
    assert code in ("ValidationException", "NotSupportedException"), code
    assert words in message


def test_no_more_instances_than_the_account_asked_for(bench: Transforming, model: str) -> None:
    quotas = bench.server.client("service-quotas")
    code = "cloche-transform-ml-c4-xlarge"
    quotas.request_service_quota_increase(ServiceCode="sagemaker", QuotaCode=code, DesiredValue=1)
    resources = {"InstanceType": "ml.c4.xlarge", "InstanceCount": 2}
    with pytest.raises(ClientError) as error:
        bench.create(model, bench.put({"a.csv": b"1,2\n"}), TransformResources=resources)
    assert refused(error)[0] == "ResourceLimitExceeded"
    assert "ml.c4.xlarge for transform job usage" in refused(error)[1]


def test_a_role_that_cannot_be_assumed(bench: Transforming, model: str) -> None:
    iam = bench.server.client("iam")
    name = unique("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(NO_TRUST))
    container = {"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"}
    role = ROLE.replace("Hosting", name)
    bench.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
    with pytest.raises(ClientError) as error:
        bench.create(name, bench.put({"a.csv": b"1,2\n"}))
    assert refused(error) == (
        "ValidationException",
        f"Could not assume role {role}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role.",
    )


def test_names_and_what_has_ended(bench: Transforming, model: str) -> None:
    request = bench.request(model, bench.put({"a.csv": b"1,2\n"}))
    bench.sagemaker.create_transform_job(**request)
    name = request["TransformJobName"]
    with pytest.raises(ClientError) as error:
        bench.sagemaker.create_transform_job(**request)
    assert refused(error)[0] == "ResourceInUse"
    bench.ended(name)
    with pytest.raises(ClientError) as error:
        bench.sagemaker.stop_transform_job(TransformJobName=name)
    assert refused(error) == (
        "ValidationException",
        "The request was rejected because the transform job is in status Completed.",
    )
    for ask in (bench.sagemaker.describe_transform_job, bench.sagemaker.stop_transform_job):
        with pytest.raises(ClientError) as error:
            ask(TransformJobName="none")
        assert refused(error) == ("ValidationException", "Requested resource not found.")

"""One step of each type, each using what those before it have become."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pipeline_requests import PipelineBench, condition, get
from processing_requests import SKLEARN
from training_requests import BUCKET, XGBOOST, channel

ML = "/opt/ml/processing"


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    return PipelineBench(server)


def processing(bench: PipelineBench, name: str, script: str, *outputs: str, **members: Any) -> dict[str, Any]:
    where = {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}/of", get("Execution.PipelineExecutionId"), name]}}
    arguments = {
        "RoleArn": bench.role,
        "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["/bin/sh", "-c", script]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": each,
                    "S3Output": {"S3Uri": where, "LocalPath": f"{ML}/{each}", "S3UploadMode": "EndOfJob"},
                }
                for each in outputs
            ]
        },
    }
    return {"Name": name, "Type": "Processing", "Arguments": {**arguments, **members.pop("Arguments", {})}, **members}


def test_processing_with_a_property_file_then_a_registered_model(bench: PipelineBench) -> None:
    report = json.dumps({"regression_metrics": {"mse": {"value": 4.5}}})
    prepared = processing(bench, "prepare", f"echo 1,2 > {ML}/train/rows.csv", "train")
    data = channel("train", "x")
    data["DataSource"]["S3DataSource"]["S3Uri"] = get(
        "Steps.prepare.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"
    )
    copies = "cp /opt/ml/input/data/train/rows.csv /opt/ml/model/"
    trained = bench.training("train", copies, Arguments={"InputDataConfig": [data]})
    evaluated = processing(
        bench,
        "evaluate",
        f"ls {ML}/model && echo '{report}' > {ML}/evaluation/evaluation.json",
        "evaluation",
        Arguments={
            "ProcessingInputs": [
                {
                    "InputName": "model",
                    "S3Input": {
                        "S3Uri": get("Steps.train.ModelArtifacts.S3ModelArtifacts"),
                        "LocalPath": f"{ML}/model",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ]
        },
        PropertyFiles=[{"PropertyFileName": "Report", "OutputName": "evaluation", "FilePath": "evaluation.json"}],
    )
    registered = {
        "Name": "register-RegisterModel",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "of-a-pipeline",
            "InferenceSpecification": {
                "Containers": [{"Image": XGBOOST, "ModelDataUrl": get("Steps.train.ModelArtifacts.S3ModelArtifacts")}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "ModelApprovalStatus": "PendingManualApproval",
        },
    }
    mse = {
        "Std:JsonGet": {
            "PropertyFile": get("Steps.evaluate.PropertyFiles.Report"),
            "Path": "regression_metrics.mse.value",
        }
    }
    asked = condition("check", {"Type": "LessThanOrEqualTo", "LeftValue": mse, "RightValue": 6.0}, then=[registered])
    experiment = {"ExperimentName": get("Execution.PipelineName"), "TrialName": get("Execution.PipelineExecutionId")}
    arn, ended = bench.run_pipeline(
        "to-the-registry", prepared, trained, evaluated, asked, PipelineExperimentConfig=experiment
    )
    assert ended["PipelineExecutionStatus"] == "Succeeded", [s.get("FailureReason") for s in bench.steps(arn)]
    steps = {step["StepName"]: step for step in bench.steps(arn)}
    assert list(steps) == ["prepare", "train", "evaluate", "check", "register-RegisterModel"]
    package = steps["register-RegisterModel"]["Metadata"]["RegisterModel"]["Arn"]
    described = bench.sagemaker.describe_model_package(ModelPackageName=package)
    assert described["ModelPackageGroupName"] == "of-a-pipeline"
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    id = arn.rpartition("/")[2]
    assert ended["PipelineExperimentConfig"] == {"ExperimentName": "to-the-registry", "TrialName": id}
    job = bench.describe(steps["train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2])
    assert job["ExperimentConfig"] == {"ExperimentName": "to-the-registry", "TrialName": id}
    processed = steps["prepare"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    processed = bench.sagemaker.describe_processing_job(ProcessingJobName=processed)
    assert processed["ExperimentConfig"]["TrialName"] == id


def callback(name: str, queue: str, **members: Any) -> dict[str, Any]:
    outputs = [{"OutputName": "rows", "OutputType": "Integer"}, {"OutputName": "where", "OutputType": "String"}]
    arguments = {"input": get("Parameters.Input"), "number": 5}
    return {
        "Name": name,
        "Type": "Callback",
        "SqsQueueUrl": queue,
        "Arguments": arguments,
        "OutputParameters": outputs,
        **members,
    }


def message(sqs: Any, queue: str) -> dict[str, Any]:
    (found,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"])
    body: dict[str, Any] = json.loads(found["Body"])
    return body


def test_a_callback_waits_for_its_answer(bench: PipelineBench) -> None:
    sqs = bench.server.client("sqs")
    queue = sqs.create_queue(QueueName="callbacks")["QueueUrl"]
    parameters = [{"Name": "Input", "Type": "String", "DefaultValue": "s3://b/in"}]
    many = {"Type": "GreaterThan", "LeftValue": get("Steps.ask.OutputParameters['rows']"), "RightValue": 10}
    bench.pipeline("asking", callback("ask", queue), condition("many", many), parameters=parameters)
    arn = bench.start("asking")
    body = message(sqs, queue)
    assert list(body) == ["token", "pipelineExecutionArn", "arguments", "status"]
    assert body["arguments"] == {"input": "s3://b/in", "number": 5}
    assert (body["pipelineExecutionArn"], body["status"]) == (arn, "Executing")
    answer = bench.sagemaker.send_pipeline_execution_step_success
    bad = [{"Name": "rows", "Value": "a lot"}]
    with pytest.raises(bench.sagemaker.exceptions.ClientError, match="Integer"):
        answer(CallbackToken=body["token"], OutputParameters=bad)
    with pytest.raises(bench.sagemaker.exceptions.ResourceNotFound):
        answer(CallbackToken="0123456789", OutputParameters=bad)
    good = [{"Name": "rows", "Value": "11"}, {"Name": "where", "Value": "s3://b/out"}]
    assert answer(CallbackToken=body["token"], OutputParameters=good)["PipelineExecutionArn"] == arn
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Succeeded"
    assert bench.step(arn, "many")["Metadata"]["Condition"]["Outcome"] == "True"
    held = bench.step(arn, "ask")["Metadata"]["Callback"]
    assert held == {"CallbackToken": body["token"], "SqsQueueUrl": queue, "OutputParameters": good}
    with pytest.raises(bench.sagemaker.exceptions.ResourceNotFound):
        answer(CallbackToken=body["token"], OutputParameters=good)


def test_a_callback_may_fail_and_a_stop_waits_for_it(bench: PipelineBench) -> None:
    sqs = bench.server.client("sqs")
    queue = sqs.create_queue(QueueName="unanswered.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    parameters = [{"Name": "Input", "Type": "String", "DefaultValue": "x"}]
    bench.pipeline("refusing", callback("ask", queue), parameters=parameters)
    arn = bench.start("refusing")
    token = message(sqs, queue)["token"]
    bench.sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="nobody is in")
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Failed"
    assert bench.step(arn, "ask")["FailureReason"] == "nobody is in"
    arn = bench.start("refusing")
    token = message(sqs, queue)["token"]
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    told = message(sqs, queue)
    assert (told["token"], told["status"]) == (token, "Stopping")
    assert bench.execution(arn)["PipelineExecutionStatus"] == "Stopping"
    bench.sagemaker.send_pipeline_execution_step_success(CallbackToken=token)
    assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Stopped"


def test_a_queue_that_is_not_there_fails_the_step(bench: PipelineBench) -> None:
    parameters = [{"Name": "Input", "Type": "String", "DefaultValue": "x"}]
    queue = f"{bench.server.url}/123456789012/no-such-queue"
    arn, ended = bench.run_pipeline("no-queue", callback("ask", queue), parameters=parameters)
    assert ended["PipelineExecutionStatus"] == "Failed"
    assert bench.step(arn, "ask")["FailureReason"].startswith("ClientError: Failed to invoke sqs:SendMessage.")


@pytest.mark.slow
def test_tuning_a_model_and_a_batch(bench: PipelineBench) -> None:
    """As ``TuningStep.get_top_model_s3_uri`` has it: the best job's name, joined to the address of its model."""
    rows = "".join(f"{number % 2},{number % 2 + number / 1000},{number}\n" for number in range(200))
    bench.s3.put_object(Bucket=BUCKET, Key="tuned/rows/rows.csv", Body=rows.encode())
    bench.s3.put_object(Bucket=BUCKET, Key="tuned/batch/rows.csv", Body=b"0.1,1\n1.1,2\n")
    channels = [channel(name, "tuned/rows/") for name in ("train", "validation")]
    whole = {key: value for key, value in bench.request("x").items() if key not in ("TrainingJobName",)}
    whole["AlgorithmSpecification"] = {"TrainingImage": XGBOOST, "TrainingInputMode": "File"}
    whole |= {
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/tuned/models"},
        "StaticHyperParameters": {"objective": "binary:logistic", "eval_metric": "auc", "num_round": "3"},
    }
    depth = {"Name": "max_depth", "MinValue": "1", "MaxValue": "3"}
    config = {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:auc"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"IntegerParameterRanges": [depth]},
    }
    arguments = {"HyperParameterTuningJobConfig": config, "TrainingJobDefinition": whole}
    tune = {"Name": "tune", "Type": "Tuning", "Arguments": arguments}
    best = {
        "Std:Join": {
            "On": "/",
            "Values": [
                f"s3://{BUCKET}/tuned/models",
                get("Steps.tune.TrainingJobSummaries[0].TrainingJobName"),
                "output/model.tar.gz",
            ],
        }
    }
    container = {"Image": XGBOOST, "ModelDataUrl": best}
    model = {
        "Name": "model",
        "Type": "Model",
        "Arguments": {"ExecutionRoleArn": bench.role, "PrimaryContainer": container},
    }
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/tuned/batch/"}}
    transform = {
        "Name": "transform",
        "Type": "Transform",
        "Arguments": {
            "ModelName": get("Steps.model.ModelName"),
            "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/tuned/out", "AssembleWith": "Line"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    }
    arn, ended = bench.run_pipeline("tuned", tune, model, transform, seconds=110)
    assert ended["PipelineExecutionStatus"] == "Succeeded", [s.get("FailureReason") for s in bench.steps(arn)]
    steps = {step["StepName"]: step["Metadata"] for step in bench.steps(arn)}
    assert ":hyper-parameter-tuning-job/" in steps["tune"]["TuningJob"]["Arn"]
    assert ":transform-job/" in steps["transform"]["TransformJob"]["Arn"]
    answers = bench.s3.get_object(Bucket=BUCKET, Key="tuned/out/rows.csv.out")["Body"].read().split()
    assert len(answers) == 2 and float(answers[0]) < 0.5 < float(answers[1])

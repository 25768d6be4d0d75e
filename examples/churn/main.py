"""The churn case from raw rows to an approved model that answers, with the SageMaker Python SDK v2.

    python main.py RAW.csv

The pipeline runs, runs again out of its cache, and is stopped by a threshold nothing reaches; the model is approved,
deployed from the registry, and asked about customers it has never seen. Prints what happens; the last line is JSON.
"""

import csv
import io
import json
import logging
import sys
import time

import boto3
import sagemaker
from pipeline import churn_pipeline
from sagemaker import ModelPackage
from sagemaker.deserializers import CSVDeserializer
from sagemaker.serializers import CSVSerializer
from sagemaker.workflow.pipeline_context import PipelineSession

NAME = "churn"
GROUP = "churn-models"
ENDED = ("Succeeded", "Failed", "Stopped")
LOOK_SECONDS = 0.2


def main():
    logging.disable(logging.WARNING)
    session = PipelineSession()
    plain = sagemaker.Session()
    role = f"arn:aws:iam::{plain.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
    raw = plain.upload_data(sys.argv[1], plain.default_bucket(), f"{NAME}/raw")
    pipeline = churn_pipeline(NAME, session, role, raw, GROUP)
    pipeline.upsert(role)
    client = boto3.client("sagemaker")

    say("the pipeline: prepare, tune, evaluate, decide, register")
    first = run(pipeline)
    if first["status"] != "Succeeded":
        sys.exit(f"the pipeline ended as {first['status']}: {first['reason']}")
    package = first["steps"]["Register-RegisterModel"]["RegisterModel"]["Arn"]
    metrics = report(plain, client, package)
    auc = metrics["auc"]["value"]
    say(f"registered {package.rpartition(':')[2]}, AUC {auc:.4f} ± {metrics['auc']['standard_deviation']:.4f}")

    say("the same again: every step whose inputs are as they were comes out of the cache")
    second = run(pipeline)
    say("and with a threshold that nothing reaches")
    third = run(pipeline, MinimumAuc=0.999)
    if third["status"] != "Failed":
        sys.exit("a model passed that should not have")

    say("the model is approved, deployed from the registry, and asked")
    client.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    asked = deploy_and_ask(plain, client, role, package, first)
    print(f"    AUC over {asked['rows']} answers of the endpoint: {asked['auc']:.4f}")
    runs = {"first": first, "second": second, "third": third}
    told = {name: {"status": each["status"], "seconds": round(each["seconds"], 2)} for name, each in runs.items()}
    told["second"]["cached"] = second["cached"]
    told["third"]["reason"] = third["reason"]
    print("RESULT " + json.dumps({**told, "auc": auc, "endpoint_auc": asked["auc"], "package": package}))


def say(text):
    print(f"==> {text}", flush=True)


def run(pipeline, **parameters):
    """Start an execution and follow it to its end; its steps' states are printed as they change."""
    began = time.perf_counter()
    execution = pipeline.start(parameters=parameters)
    shown = {}
    while True:
        state = execution.describe()
        steps = {step["StepName"]: step for step in execution.list_steps()}
        for name, step in sorted(steps.items(), key=lambda each: each[1].get("StartTime", 0).timestamp()):
            if shown.get(name) != step["StepStatus"]:
                shown[name] = step["StepStatus"]
                told = " (out of the cache)" if "CacheHitResult" in step else ""
                told += f": {step['FailureReason']}" if "FailureReason" in step else ""
                print(f"    {time.perf_counter() - began:6.2f} s  {name:<24}{step['StepStatus']}{told}", flush=True)
        if state["PipelineExecutionStatus"] in ENDED:
            break
        time.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - began
    reasons = [step["FailureReason"] for step in steps.values() if "FailureReason" in step]
    print(f"    {seconds:6.2f} s  the execution has {state['PipelineExecutionStatus'].lower()}", flush=True)
    return {
        "arn": state["PipelineExecutionArn"],
        "status": state["PipelineExecutionStatus"],
        "reason": (reasons or [state.get("FailureReason", "")])[0],
        "seconds": seconds,
        "cached": sorted(name for name, step in steps.items() if "CacheHitResult" in step),
        "steps": {name: step.get("Metadata", {}) for name, step in steps.items()},
    }


def report(session, client, package):
    """The measures kept with the package."""
    statistics = client.describe_model_package(ModelPackageName=package)["ModelMetrics"]["ModelQuality"]["Statistics"]
    text = sagemaker.s3.S3Downloader.read_file(statistics["S3Uri"], session)
    return json.loads(text)["binary_classification_metrics"]


def deploy_and_ask(session, client, role, package, execution):
    endpoint = f"{NAME}-{int(time.time())}"
    model = ModelPackage(role, model_package_arn=package, sagemaker_session=session)
    model.deploy(1, "ml.m5.large", endpoint_name=endpoint, wait=False)
    while (status := client.describe_endpoint(EndpointName=endpoint)["EndpointStatus"]) == "Creating":
        time.sleep(LOOK_SECONDS)
    if status != "InService":
        sys.exit(f"the endpoint is {status}")
    predictor = sagemaker.Predictor(endpoint, session, CSVSerializer(), CSVDeserializer())
    job = execution["steps"]["Prepare"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    outputs = client.describe_processing_job(ProcessingJobName=job)["ProcessingOutputConfig"]["Outputs"]
    folder = next(each["S3Output"]["S3Uri"] for each in outputs if each["OutputName"] == "test")
    text = sagemaker.s3.S3Downloader.read_file(f"{folder}/test.csv", session)
    rows = [[float(cell) for cell in row] for row in csv.reader(io.StringIO(text))]
    answers = predictor.predict([row[1:] for row in rows])
    scores = [float(cell) for line in answers for cell in line]
    return {"rows": len(rows), "auc": area([row[0] for row in rows], scores)}


def area(labels, scores):
    """The area under the ROC curve: how often a row that left scores above one that stayed (a tie counts half)."""
    left = [score for label, score in zip(labels, scores, strict=True) if label]
    stayed = [score for label, score in zip(labels, scores, strict=True) if not label]
    wins = sum((one > other) + 0.5 * (one == other) for one in left for other in stayed)
    return wins / (len(left) * len(stayed))


if __name__ == "__main__":
    main()

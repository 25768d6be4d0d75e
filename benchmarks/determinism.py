"""The whole loop twice, from the same moment of Cloche's clock: whether the same events come of it.

Two servers with directories of their own run ``cloche demo drift``: a model that is watched, an alarm, retrainings,
canaries. Compared are all events of the default bus, the alarms' history, pipelines' executions with their steps,
monitors' executions and violations, every trial with its hyperparameters and metrics, and the AUC of each day. Masked
are ids, ports, names that clients make of the machine's clock, and sums of archives, whose files have its dates; events
of one moment are compared as a set, since what goes on side by side may come in either order.

    python benchmarks/determinism.py [--days 7] [--every 12] [--drift 0]

Prints how much was compared; exits with 1, and the first differences, where the runs differ.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from training_overhead import start

SHOWN = 20
MASKS = (
    (r"churn-loop-\d+", "LOOP"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"pipelines-[a-z0-9]{12}-(\w+)-\w{10}", r"EXECUTION-\1"),
    (r"[a-z0-9]{12}-Tune-\w{10}(-\d{3})?(-[0-9a-f]{8})?", r"EXECUTION-Tune\1"),
    (r"(?<=execution/)[a-z0-9]{12}|(?<=sagemaker-pipeline-)[a-z0-9]{12}|(?<=/)[a-z0-9]{12}(?=[/\"])", "EXECUTION"),
    (r'(?<="ModelDataETag": ")[^"]+', "ARCHIVE"),
    (r'(?<="TrialName": ")[a-z0-9]{12}|(?<="PrincipalId": ")[^"]+', "EXECUTION"),
    (r"(monitoring|merge)-(\d{12})-[0-9a-f]{24}", r"\1-\2"),
    (r"\d{4}(-\d\d){5}-\d{3}", "STAMP"),
    (r"http://127.0.0.1:\d+", "SERVER"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", default="7")
    parser.add_argument("--every", default="12")
    parser.add_argument("--drift", default="0")
    asked = parser.parse_args()
    begin = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT00:00:00Z")
    runs = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(
                run(Path(folder), begin, ["--days", asked.days, "--every", asked.every, "--drift", asked.drift])
            )
    first, second = runs
    differ = False
    for name in first:
        apart = list(difflib.unified_diff(first[name], second[name], lineterm="", n=0))[2:]
        print(f"{name}: {len(first[name])} and {len(second[name])}, {'equal' if not apart else 'they differ'}")
        for line in apart[:SHOWN]:
            print("   ", line[:1000])
        differ = differ or bool(apart)
    sys.exit(differ)


def run(work: Path, begin: str, options: list[str]) -> dict[str, list[str]]:
    server, url = start(work)
    try:
        data = ["--data", str(work / "data")]
        cloche = [sys.executable, "-m", "cloche.cli.main"]
        for how in (["freeze"], ["set", begin]):
            subprocess.run([*cloche, "clock", *how, *data], check=True, stdout=subprocess.DEVNULL)
        keys = json.loads((work / "data" / "keys" / "root.json").read_text())
        session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name="us-east-1")
        seen = Seen(session, url)
        loop = subprocess.run(
            [*cloche, "demo", "drift", *data, *options], stdout=subprocess.PIPE, text=True, check=True
        )
        return seen.told(json.loads(loop.stdout.rpartition("RESULT ")[2]))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


class Seen:
    """All that comes of a run, as an observer from outside finds it."""

    def __init__(self, session: boto3.session.Session, url: str) -> None:
        services = ("sqs", "events", "cloudwatch", "sagemaker", "s3", "sts")
        self.client = {name: session.client(name, endpoint_url=url) for name in services}
        sqs, events = self.client["sqs"], self.client["events"]
        made = sqs.create_queue(QueueName="seen", Attributes={"MessageRetentionPeriod": "1209600"})
        self.queue = made["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": policy})
        account = self.client["sts"].get_caller_identity()["Account"]
        events.put_rule(Name="seen", EventPattern=json.dumps({"account": [account]}))
        events.put_targets(Rule="seen", Targets=[{"Id": "q", "Arn": arn}])

    def told(self, said: dict[str, Any]) -> dict[str, list[str]]:
        found = {
            "days": [
                said[name] for name in ("auc", "rang", "retrained", "serving", "approved", "canaries", "violations")
            ],
            "events": sorted(self._events(), key=lambda event: str(event["time"])),
            "alarm history": self._listed("cloudwatch", "describe_alarm_history", "AlarmHistoryItems"),
            "monitoring executions": self._listed(
                "sagemaker", "list_monitoring_executions", "MonitoringExecutionSummaries"
            ),
            "pipeline executions": [step for pipeline in self._pipelines() for step in pipeline],
            "trials": self._trials(),
            "violations": self._violations(),
        }
        masked = {name: [mask(each) for each in things] for name, things in found.items()}
        for name in ("events", "monitoring executions"):
            masked[name].sort()
        return masked

    def _listed(self, service: str, operation: str, member: str, **asked: Any) -> list[Any]:
        pages = self.client[service].get_paginator(operation).paginate(**asked)
        return [each for page in pages for each in page.get(member, ())]

    def _events(self) -> list[dict[str, Any]]:
        asked = {"QueueUrl": self.queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 43_200}
        found: list[dict[str, Any]] = []
        while messages := self.client["sqs"].receive_message(**asked).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    def _pipelines(self) -> list[list[Any]]:
        sagemaker, found = self.client["sagemaker"], []
        for pipeline in sagemaker.list_pipelines()["PipelineSummaries"]:
            named = {"PipelineName": pipeline["PipelineName"]}
            for each in self._listed("sagemaker", "list_pipeline_executions", "PipelineExecutionSummaries", **named):
                arn = {"PipelineExecutionArn": each["PipelineExecutionArn"]}
                steps = self._listed("sagemaker", "list_pipeline_execution_steps", "PipelineExecutionSteps", **arn)
                found.append([each, *sorted(steps, key=lambda step: str(step["StepName"]))])
        return found

    def _trials(self) -> list[Any]:
        order = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
        listed = self._listed("sagemaker", "list_training_jobs", "TrainingJobSummaries", **order)
        described = [
            self.client["sagemaker"].describe_training_job(TrainingJobName=job["TrainingJobName"]) for job in listed
        ]
        members = ("TrainingJobName", "HyperParameters", "FinalMetricDataList", "TrainingJobStatus", "CreationTime")
        return [{name: job.get(name) for name in members} for job in described]

    def _violations(self) -> list[Any]:
        s3, found = self.client["s3"], []
        for bucket in s3.list_buckets()["Buckets"]:
            for each in self._listed("s3", "list_objects_v2", "Contents", Bucket=bucket["Name"]):
                if each["Key"].endswith("constraint_violations.json"):
                    body = s3.get_object(Bucket=bucket["Name"], Key=each["Key"])["Body"].read()
                    found.append([each["Key"], str(each["LastModified"]), json.loads(body)])
        return found


def mask(thing: Any) -> str:
    text = json.dumps(thing, default=str, sort_keys=True)
    for pattern, mark in MASKS:
        text = re.sub(pattern, mark, text)
    return text


if __name__ == "__main__":
    main()

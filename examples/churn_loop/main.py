"""A month of a deployed model: the world drifts, the monitor sees it, an alarm rings, a better model takes over.

    python main.py DATA [--days 30] [--drift 10]       DATA is the folder of the Cloche that AWS_ENDPOINT_URL names

Every number that is printed comes from requests that were answered and jobs that ran. The last line is JSON.
"""

import argparse
import json
import logging
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import sagemaker
from botocore.config import Config
from infrastructure import Loop
from turning import Clock
from world import area, day_of_customers, features

STEPS_AN_HOUR, DAYS_LEARNED_FROM, HISTORY = 4, 5, 2500
ENDED = ("Succeeded", "Failed", "Stopped")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--requests", type=int, default=480, help="a day")
    parser.add_argument("--drift", type=int, default=10, help="the day on which the world begins to change")
    parser.add_argument("--every", type=int, default=1, help="hours between the looks of the data monitor")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    session = sagemaker.Session()
    clock = Clock(asked.data)
    clock.freeze()
    month = Month(session, clock, Loop(session, f"churn-loop-{int(time.time())}"), asked)
    try:
        month.begin()
        for day in range(asked.days):
            month.pass_day(day)
        month.tell()
    finally:
        month.loop.session.sagemaker_client.close()
        clock.resume()


class Month:
    def __init__(self, session, clock, loop, asked):
        self.session, self.clock, self.loop, self.asked = session, clock, loop, asked
        patient = Config(retries={"max_attempts": 0}, read_timeout=60)
        self.runtime = boto3.client("sagemaker-runtime", config=patient)
        self.sagemaker, self.s3 = boto3.client("sagemaker"), boto3.client("s3")
        self.cloudwatch = boto3.client("cloudwatch")
        self.requests, self.rang, self.areas, self.drifted = 0, [], [], []
        self.shifting = {}
        self.truth = {}

    # -- the first model ---------------------------------------------------------------------------------

    def begin(self):
        say("the first model: a pipeline trains it, a policy approves it, a function deploys it")
        loop = self.loop
        self.pause_until_midnight()
        history = self.customers(-10, HISTORY)
        self.put_recent("history", history)
        loop.data_ages(DAYS_LEARNED_FROM)
        loop.alarms(auc=0.0)
        loop.deployment()
        loop.pipeline().start()
        self.let_pass(minutes=10)
        status = self.sagemaker.describe_endpoint(EndpointName=loop.endpoint)["EndpointStatus"]
        if status != "InService":
            raise SystemExit(f"the endpoint is {status}")
        say("what it answers to customers it has not seen is the baseline of its monitors")
        seen = features(self.customers(-1, 1500))
        scores = [self.ask(row, f"baseline-{number}") for number, row in enumerate(lines_of(seen))]
        auc = area(seen.iloc[:, 0], scores)
        with TemporaryDirectory() as scratch:
            baseline, predictions = Path(scratch) / "baseline.csv", Path(scratch) / "predictions.csv"
            named = seen.iloc[:, 1:].rename(columns=lambda name: name.replace("=", "_"))
            named.insert(0, "score", scores)
            named.to_csv(baseline, index=False)
            rows = zip(scores, seen.iloc[:, 0], strict=True)
            told = "".join(f"{score},{int(score > 0.5)},{int(label)}\n" for score, label in rows)
            predictions.write_text("probability,prediction,label\n" + told)
            loop.watch(baseline, predictions, self.asked.every)
        loop.alarms(auc=auc - 0.1)
        loop.retraining()
        print(f"    AUC {auc:.3f}; the alarm rings below {auc - 0.1:.3f}", flush=True)
        self.pause_until_midnight()
        self.midnight = self.clock.now()
        say(f"{self.asked.days} days of {self.asked.requests} requests, hour by hour")

    # -- a day -------------------------------------------------------------------------------------------

    def pass_day(self, day):
        raw = self.customers(day, self.asked.requests)
        table = features(raw)
        lines, labels, scores = lines_of(table), list(table.iloc[:, 0]), []
        steps = 24 * STEPS_AN_HOUR
        began = self.midnight + timedelta(days=day)
        for step in range(steps):
            at = began + timedelta(hours=step / STEPS_AN_HOUR)
            part = range(len(lines) * step // steps, len(lines) * (step + 1) // steps)
            scores += [self.ask(lines[number], f"{day}-{number}") for number in part]
            self.truth.setdefault(at.strftime("%Y/%m/%d/%H"), []).extend((f"{day}-{n}", labels[n]) for n in part)
            self.clock.advance_to(at + timedelta(hours=1 / STEPS_AN_HOUR))
            self.look()
        # A day later it is known who left.
        self.tell_truth()
        self.put_recent(f"{day:03d}", raw)
        self.areas.append(area(labels, scores))
        self.show(day)

    def look(self):
        """Whether a new model has a part of the requests just now."""
        pending = self.sagemaker.describe_endpoint(EndpointName=self.loop.endpoint).get("PendingDeploymentSummary")
        for variant in (pending or {}).get("ProductionVariants", ()):
            if any(each["Status"] == "Baking" for each in variant.get("VariantStatus", ())):
                name = pending["EndpointConfigName"]
                self.shifting[name] = self.shifting.get(name, 0) + 1

    def tell_truth(self):
        for hour, known in self.truth.items():
            text = "\n".join(
                json.dumps(
                    {
                        "groundTruthData": {"data": str(int(label)), "encoding": "CSV"},
                        "eventMetadata": {"eventId": id},
                        "eventVersion": "0",
                    }
                )
                for id, label in known
            )
            key = f"{self.loop.name}/truth/{hour}/labels.jsonl"
            self.s3.put_object(Bucket=self.loop.bucket, Key=key, Body=text.encode())
        self.truth = {}

    def show(self, day):
        loop = self.loop
        packages = self.sagemaker.list_model_packages(ModelPackageGroupName=loop.group)["ModelPackageSummaryList"]
        config = self.sagemaker.describe_endpoint(EndpointName=loop.endpoint)["EndpointConfigName"]
        [alarm] = self.cloudwatch.describe_alarms(AlarmNames=[loop.model_alarm])["MetricAlarms"]
        executions = self.sagemaker.list_monitoring_executions(
            MonitoringScheduleName=loop.data, ScheduledTimeAfter=self.midnight + timedelta(days=day), MaxResults=100
        )["MonitoringExecutionSummaries"]
        drifted = sum(each["MonitoringExecutionStatus"] == "CompletedWithViolations" for each in executions)
        self.drifted.append([drifted, len(executions)])
        if alarm["StateValue"] == "ALARM":
            self.rang.append(day)
        print(
            f"    day {day:2}  AUC {self.areas[-1]:.3f}  looks with violations {drifted:2} of {len(executions):2}"
            f"  alarm {alarm['StateValue']:<17}  models {len(packages)}, serving {config.rpartition('-')[2]}",
            flush=True,
        )

    # -- the end -----------------------------------------------------------------------------------------

    def tell(self):
        loop = self.loop
        executions = self.sagemaker.list_pipeline_executions(PipelineName=loop.name)["PipelineExecutionSummaries"]
        config = self.sagemaker.describe_endpoint(EndpointName=loop.endpoint)["EndpointConfigName"]
        packages = self.sagemaker.list_model_packages(ModelPackageGroupName=loop.group)["ModelPackageSummaryList"]
        watched = self.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=loop.data)
        told = {
            "days": self.asked.days,
            "requests": self.requests,
            "rang": self.rang,
            "retrained": len(executions) - 1,
            "serving": int(config.rpartition("-")[2]),
            "approved": sum(each["ModelApprovalStatus"] == "Approved" for each in packages),
            "canaries": len(self.shifting),
            "auc": [round(each, 4) for each in self.areas],
            "violations": self.drifted,
            "baseline": watched["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"].rpartition("-")[2],
            "alarm": loop.model_alarm,
        }
        if self.rang:
            worst, last = min(self.areas), sum(self.areas[-3:]) / 3
            say(f"the AUC fell to {worst:.3f}; after {len(executions) - 1} retrainings it is {last:.3f}")
        print("RESULT " + json.dumps(told), flush=True)

    # -- pieces ------------------------------------------------------------------------------------------

    def ask(self, line, id):
        self.requests += 1
        answer = self.runtime.invoke_endpoint(
            EndpointName=self.loop.endpoint, ContentType="text/csv", Body=line.encode(), InferenceId=id
        )
        return float(answer["Body"].read())

    def customers(self, day, count):
        return day_of_customers(day, count, self.asked.seed, self.asked.drift)

    def put_recent(self, name, raw):
        body = raw.to_csv(index=False).encode()
        self.s3.put_object(Bucket=self.loop.bucket, Key=f"{self.loop.name}/recent/{name}.csv", Body=body)

    def let_pass(self, **span):
        self.clock.advance_to(self.clock.now() + timedelta(**span))

    def pause_until_midnight(self):
        tomorrow = (self.clock.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        self.clock.advance_to(tomorrow)


def lines_of(table):
    """As the training data have them: a number with a fraction keeps its point, or Model Monitor sees another type."""
    return table.iloc[:, 1:].to_csv(index=False, header=False).splitlines()


def say(text):
    print(f"==> {text}", flush=True)


if __name__ == "__main__":
    main()

"""What decides, held before it decides anything: the policy, and which events each rule hears.

    cloche run -- python -m unittest discover --start-directory tests

Needs what main.py needs, the SageMaker SDK 2 and pandas, and a Cloche (or an account) to ask; takes seconds.
"""

import json
import sys
import time
import unittest
from pathlib import Path

import boto3
import sagemaker

HERE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HERE), str(HERE / "functions"), str(HERE.parent / "churn")]
import approve  # noqa: E402
import world  # noqa: E402
from infrastructure import MINIMUM_AUC, Loop  # noqa: E402

SECONDS_TO_DECIDE = 60


class Test(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.session = sagemaker.Session()
        cls.sagemaker, cls.s3 = boto3.client("sagemaker"), boto3.client("s3")
        cls.loop = Loop(cls.session, f"loop-test-{cls.__name__.lower()}-{int(time.time())}")
        cls.sagemaker.create_model_package_group(ModelPackageGroupName=cls.loop.group)
        cls.addClassCleanup(cls.session.sagemaker_client.close)

    def package(self, auc):
        """A model package that waits for approval, with the report of an evaluation that found that AUC."""
        key = f"{self.loop.name}/{auc}/evaluation.json"
        report = {"binary_classification_metrics": {"auc": {"value": auc}}}
        self.s3.put_object(Bucket=self.loop.bucket, Key=key, Body=json.dumps(report).encode())
        image = sagemaker.image_uris.retrieve("xgboost", self.loop.region, "1.7-1")
        return self.sagemaker.create_model_package(
            ModelPackageGroupName=self.loop.group,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [{"Image": image, "ModelDataUrl": f"{self.loop.place}/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            ModelMetrics={
                "ModelQuality": {
                    "Statistics": {"ContentType": "application/json", "S3Uri": f"s3://{self.loop.bucket}/{key}"}
                }
            },
        )["ModelPackageArn"]

    def decision(self, arn):
        found = self.sagemaker.describe_model_package(ModelPackageName=arn)
        return found["ModelApprovalStatus"], found.get("ApprovalDescription")


class Policy(Test):
    def setUp(self):
        approve.os.environ["MINIMUM_AUC"] = str(MINIMUM_AUC)

    def test_a_model_is_approved_by_its_auc(self):
        for auc, expected in ((MINIMUM_AUC, "Approved"), (MINIMUM_AUC - 0.0001, "Rejected")):
            arn = self.package(auc)
            self.assertEqual(approve.handler({"detail": {"ModelPackageArn": arn}}, None), expected)
            self.assertEqual(self.decision(arn), (expected, f"AUC {auc:.4f} by the policy"))

    def test_what_somebody_has_decided_stays(self):
        arn = self.package(0.1)
        self.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
        self.assertEqual(approve.handler({"detail": {"ModelPackageArn": arn}}, None), "it has been decided already")
        self.assertEqual(self.decision(arn)[0], "Approved")


class Rules(Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events = boto3.client("events")
        cls.loop.alarms(auc=0.8)
        cls.loop.deployment()
        cls.loop.pipeline()
        cls.loop.retraining()

    def heard(self, type, detail, source="aws.sagemaker"):
        """The rules of the loop that fit an event."""
        event = {
            "id": "1",
            "account": self.loop.account,
            "source": source,
            "time": "2026-11-26T00:00:00Z",
            "region": self.loop.region,
            "resources": [],
            "detail-type": type,
            "detail": detail,
        }
        found = self.events.list_rules(NamePrefix=f"{self.loop.name}-")["Rules"]
        return {
            rule["Name"].removeprefix(f"{self.loop.name}-")
            for rule in found
            if "EventPattern" in rule
            and self.events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))["Result"]
        }

    def test_packages(self):
        type, mine = "SageMaker Model Package State Change", {"ModelPackageGroupName": self.loop.group}
        self.assertEqual(self.heard(type, {**mine, "ModelApprovalStatus": "PendingManualApproval"}), {"approve"})
        self.assertEqual(self.heard(type, {**mine, "ModelApprovalStatus": "Approved"}), {"deploy"})
        self.assertEqual(self.heard(type, {**mine, "ModelApprovalStatus": "Rejected"}), set())
        other = {"ModelPackageGroupName": "another", "ModelApprovalStatus": "Approved"}
        self.assertEqual(self.heard(type, other), set())

    def test_the_endpoint(self):
        type = "SageMaker Endpoint State Change"
        for status, rules in (("IN_SERVICE", {"baseline"}), ("UPDATING", set())):
            detail = {"EndpointName": self.loop.endpoint, "EndpointStatus": status}
            self.assertEqual(self.heard(type, detail), rules)

    def test_the_alarm(self):
        type, source = "CloudWatch Alarm State Change", "aws.cloudwatch"
        for name, state, rules in (
            (self.loop.model_alarm, "ALARM", {"retrain"}),
            (self.loop.model_alarm, "OK", set()),
            (self.loop.errors_alarm, "ALARM", set()),
        ):
            self.assertEqual(self.heard(type, {"alarmName": name, "state": {"value": state}}, source), rules)

    def test_a_weak_model_is_rejected_by_itself(self):
        arn, until = self.package(0.5), time.monotonic() + SECONDS_TO_DECIDE
        while self.decision(arn)[0] == "PendingManualApproval" and time.monotonic() < until:
            time.sleep(0.1)
        self.assertEqual(self.decision(arn), ("Rejected", "AUC 0.5000 by the policy"))

    def test_the_pipeline_ends_in_a_package_or_says_why_not(self):
        definition = self.sagemaker.describe_pipeline(PipelineName=self.loop.name)["PipelineDefinition"]
        steps = {step["Name"]: step for step in json.loads(definition)["Steps"]}
        self.assertEqual(list(steps), ["Prepare", "Tune", "Evaluate", "Baseline", "GoodEnough"])
        decide = steps["GoodEnough"]["Arguments"]
        self.assertEqual([step["Type"] for step in decide["IfSteps"] + decide["ElseSteps"]], ["RegisterModel", "Fail"])


class World(unittest.TestCase):
    def test_it_drifts_when_it_is_told_to_and_the_same_each_time(self):
        still, moved = (world.day_of_customers(day, 200, 7, 10) for day in (9, 14))
        self.assertTrue(still.equals(world.day_of_customers(9, 200, 7, 10)))
        self.assertEqual([world.drift(day, 10) for day in (9, 10, 11, 14)], [(0, 0), (0, 0), (1 / 3, 0), (1, 1)])
        self.assertFalse(still.drop(columns="month").equals(moved.drop(columns="month")))


if __name__ == "__main__":
    unittest.main()

"""What stands around the model: pipeline, approval, deployment, monitors, alarms and the rules that tie them together.

Everything is made by boto3 and the SageMaker Python SDK v2, as it would be in an account; nothing here knows Cloche.
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import boto3
from sagemaker.model_monitor import (
    CronExpressionGenerator,
    DefaultModelMonitor,
    EndpointInput,
    ModelQualityMonitor,
    MonitoringDatasetFormat,
)
from sagemaker.workflow.pipeline_context import PipelineSession

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "churn"))
from pipeline import churn_pipeline  # noqa: E402

FUNCTIONS = HERE / "functions"
MINIMUM_AUC = 0.7


class Loop:
    """The names of all that belongs together, and its parts one by one."""

    def __init__(self, session, name):
        self.session, self.name = session, name
        self.account, self.region = session.account_id(), session.boto_region_name
        self.role = f"arn:aws:iam::{self.account}:role/service-role/AmazonSageMaker-ExecutionRole"
        self.bucket = session.default_bucket()
        self.place = f"s3://{self.bucket}/{name}"
        self.group, self.endpoint = f"{name}-models", f"{name}-endpoint"
        self.model_alarm, self.errors_alarm = f"{name}-model-quality", f"{name}-errors"
        self.quality, self.data = f"{name}-quality", f"{name}-data"
        self.topic = ""

    # -- from data to an endpoint, without anybody's hand ------------------------------------------------

    def pipeline(self):
        """The churn pipeline on what came in lately. Uncached: the address of the data stays, its content does not."""
        recent = f"{self.place}/recent"
        made = churn_pipeline(
            self.name,
            PipelineSession(),
            self.role,
            recent,
            self.group,
            cached=False,
            minimum=MINIMUM_AUC,
            watched=True,
            at_once=1,
        )
        made.upsert(self.role)
        return made

    def deployment(self):
        """Model packages are judged by a policy; approved ones are deployed; what serves is watched by its own data."""
        role = self._role(
            "functions",
            "lambda.amazonaws.com",
            "AmazonSageMakerFullAccess",
            "AmazonS3FullAccess",
            "CloudWatchReadOnlyAccess",
        )
        settings = {"MINIMUM_AUC": str(MINIMUM_AUC)}
        self._on_package("PendingManualApproval", self._function("approve", role, settings))
        settings = {
            "ENDPOINT": self.endpoint,
            "ROLE": self.role,
            "CAPTURED": f"{self.place}/captured",
            "ERRORS_ALARM": self.errors_alarm,
        }
        self._on_package("Approved", self._function("deploy", role, settings))
        pattern = {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Endpoint State Change"],
            "detail": {"EndpointName": [self.endpoint], "EndpointStatus": ["IN_SERVICE"]},
        }
        baseline = self._function("baseline", role, {"SCHEDULE": self.data})
        self._invoked_by("baseline", baseline, EventPattern=json.dumps(pattern))

    # -- being watched -----------------------------------------------------------------------------------

    def watch(self, baseline, predictions, every=1):
        """Monitors of data (hourly, or every so many hours) and of the model (daily, when the truth of the day before
        has come). The arguments are CSV files with headers: what the endpoint answered and was asked; what it predicted
        and what came true."""
        common = {
            "role": self.role,
            "instance_count": 1,
            "instance_type": "ml.m5.large",
            "volume_size_in_gb": 10,
            "max_runtime_in_seconds": 1800,
            "sagemaker_session": self.session,
        }
        csv = MonitoringDatasetFormat.csv(header=True)
        data, hourly = DefaultModelMonitor(**common), CronExpressionGenerator.hourly()
        data.suggest_baseline(str(baseline), csv, output_s3_uri=f"{self.place}/baseline", wait=True, logs=False)
        data.create_monitoring_schedule(
            monitor_schedule_name=self.data,
            endpoint_input=self.endpoint,
            output_s3_uri=f"{self.place}/reports",
            statistics=data.baseline_statistics(),
            constraints=data.suggested_constraints(),
            schedule_cron_expression=hourly if every == 1 else CronExpressionGenerator.daily_every_x_hours(every, 0),
            enable_cloudwatch_metrics=True,
        )
        model = ModelQualityMonitor(**common)
        model.suggest_baseline(
            str(predictions),
            csv,
            "BinaryClassification",
            inference_attribute="prediction",
            probability_attribute="probability",
            ground_truth_attribute="label",
            output_s3_uri=f"{self.place}/quality-baseline",
            wait=True,
            logs=False,
        )
        model.create_monitoring_schedule(
            monitor_schedule_name=self.quality,
            endpoint_input=EndpointInput(
                self.endpoint,
                "/opt/ml/processing/input_data",
                start_time_offset="-P1D",
                end_time_offset="-P0D",
                probability_attribute="0",
                probability_threshold_attribute=0.5,
            ),
            output_s3_uri=f"{self.place}/quality-reports",
            problem_type="BinaryClassification",
            ground_truth_input=f"{self.place}/truth",
            constraints=model.suggested_constraints(),
            schedule_cron_expression=CronExpressionGenerator.daily(),
            enable_cloudwatch_metrics=True,
        )
        return data, model

    def alarms(self, auc):
        """One for the model (its AUC of a day falls below ``auc``), one for errors, which takes an update back."""
        cloudwatch, sns = boto3.client("cloudwatch"), boto3.client("sns")
        self.topic = sns.create_topic(Name=f"{self.name}-news")["TopicArn"]
        sns.subscribe(TopicArn=self.topic, Protocol="email", Endpoint="team@example.com")
        cloudwatch.put_metric_alarm(
            AlarmName=self.model_alarm,
            Namespace="aws/sagemaker/Endpoints/model-metrics",
            MetricName="auc",
            Dimensions=[
                {"Name": "Endpoint", "Value": self.endpoint},
                {"Name": "MonitoringSchedule", "Value": self.quality},
            ],
            Statistic="Average",
            # A measure of yesterday carries yesterday's date: the day before must be looked at, too.
            Period=86400,
            EvaluationPeriods=2,
            DatapointsToAlarm=1,
            Threshold=auc,
            ComparisonOperator="LessThanThreshold",
            TreatMissingData="ignore",
            AlarmActions=[self.topic],
            OKActions=[self.topic],
        )
        cloudwatch.put_metric_alarm(
            AlarmName=self.errors_alarm,
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Dimensions=[
                {"Name": "EndpointName", "Value": self.endpoint},
                {"Name": "VariantName", "Value": "AllTraffic"},
            ],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )

    def retraining(self):
        """The alarm of the model starts the pipeline; where it still rings at noon, it is started again."""
        role = self._role("events", "events.amazonaws.com", "AmazonSageMakerFullAccess")
        pattern = {
            "source": ["aws.cloudwatch"],
            "detail-type": ["CloudWatch Alarm State Change"],
            "detail": {"alarmName": [self.model_alarm], "state": {"value": ["ALARM"]}},
        }
        target = {
            "Id": "retrain",
            "Arn": f"arn:aws:sagemaker:{self.region}:{self.account}:pipeline/{self.name}",
            "RoleArn": role,
            "SageMakerPipelineParameters": {
                "PipelineParameterList": [{"Name": "RawData", "Value": f"{self.place}/recent"}]
            },
        }
        self._rule("retrain", target, EventPattern=json.dumps(pattern))
        settings = {"PIPELINE": self.name, "ALARM": self.model_alarm}
        again = self._function("again", f"arn:aws:iam::{self.account}:role/{self.name}-functions", settings)
        self._invoked_by("again", again, ScheduleExpression="cron(0 12 * * ? *)")

    def data_ages(self, days):
        """Only what came in lately is learned from: older files are expired by a rule of the bucket."""
        rule = {
            "ID": self.name,
            "Status": "Enabled",
            "Filter": {"Prefix": f"{self.name}/recent/"},
            "Expiration": {"Days": days},
        }
        boto3.client("s3").put_bucket_lifecycle_configuration(
            Bucket=self.bucket, LifecycleConfiguration={"Rules": [rule]}
        )

    # -- pieces ------------------------------------------------------------------------------------------

    def _on_package(self, status, function):
        pattern = {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Package State Change"],
            "detail": {"ModelPackageGroupName": [self.group], "ModelApprovalStatus": [status]},
        }
        name = function.rpartition(":")[2].removeprefix(f"{self.name}-")
        self._invoked_by(name, function, EventPattern=json.dumps(pattern))

    def _invoked_by(self, name, function, **rule):
        rule = self._rule(name, {"Id": name, "Arn": function}, **rule)
        boto3.client("lambda").add_permission(
            FunctionName=function,
            StatementId="by-rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=rule,
        )

    def _rule(self, name, target, **rule):
        events = boto3.client("events")
        rule = events.put_rule(Name=f"{self.name}-{name}", **rule)["RuleArn"]
        failed = events.put_targets(Rule=f"{self.name}-{name}", Targets=[target])["FailedEntries"]
        assert not failed, failed
        return rule

    def _function(self, name, role, environment):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(FUNCTIONS / f"{name}.py", f"{name}.py")
        functions = boto3.client("lambda")
        made = functions.create_function(
            FunctionName=f"{self.name}-{name}",
            Runtime="python3.12",
            Handler=f"{name}.handler",
            Role=role,
            Code={"ZipFile": packed.getvalue()},
            Timeout=60,
            Environment={"Variables": environment},
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=made["FunctionName"])
        return made["FunctionArn"]

    def _role(self, name, service, *policies):
        iam = boto3.client("iam")
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        made = iam.create_role(RoleName=f"{self.name}-{name}", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        for policy in policies:
            iam.attach_role_policy(RoleName=f"{self.name}-{name}", PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
        return made

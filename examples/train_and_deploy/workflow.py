"""The work itself, in plain boto3. Nothing in this file knows that the other end is not AWS."""

import io
import re
import tarfile
import time
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

XGBOOST = "683313688378.dkr.ecr.{region}.amazonaws.com/sagemaker-xgboost:1.7-1"
SKLEARN = "683313688378.dkr.ecr.{region}.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
HYPERPARAMETERS = {
    "objective": "binary:logistic",
    "eval_metric": "auc,logloss",
    "num_round": "60",
    "max_depth": "4",
    "eta": "0.1",
    "subsample": "0.8",
    "seed": "7",
}
LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class Workflow:
    def __init__(self):
        self.session = boto3.Session()
        self.region = self.session.region_name
        self.sagemaker = self.session.client("sagemaker")
        self.runtime = self.session.client("sagemaker-runtime")
        self.s3 = self.session.client("s3")
        self.logs = self.session.client("logs")
        self.account = self.session.client("sts").get_caller_identity()["Account"]
        self.bucket = f"sagemaker-{self.region}-{self.account}"
        self.stamp = time.strftime("%Y-%m-%d-%H-%M-%S")

    def role(self):
        """The account's SageMaker execution role, made here if there is none."""
        iam = self.session.client("iam")
        name = "demo-sagemaker-execution-role"
        trust = (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
            ' "Principal": {"Service": "sagemaker.amazonaws.com"}}]}'
        )
        try:
            return iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityAlreadyExists":
                raise
            return iam.get_role(RoleName=name)["Role"]["Arn"]

    def upload(self, folder):
        """Every file below ``folder`` to the default bucket; answers the prefix."""
        if self.region == "us-east-1":
            self.s3.create_bucket(Bucket=self.bucket)
        else:
            self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": self.region})
        prefix = f"demo/{self.stamp}"
        for file in sorted(Path(folder).rglob("*.csv")):
            self.s3.upload_file(str(file), self.bucket, f"{prefix}/{file.relative_to(folder).as_posix()}")
        return f"s3://{self.bucket}/{prefix}"

    def upload_script(self, folder):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            for file in sorted(Path(folder).glob("*.py")):
                tar.add(file, arcname=file.name)
        key = f"demo/{self.stamp}/source/sourcedir.tar.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=archive.getvalue())
        return f"s3://{self.bucket}/{key}"

    def train(self, name, image, role, data, hyperparameters, metrics=()):
        specification = {"TrainingImage": image.format(region=self.region), "TrainingInputMode": "File"}
        if metrics:
            specification["MetricDefinitions"] = [{"Name": n, "Regex": r} for n, r in metrics]
        self.sagemaker.create_training_job(
            TrainingJobName=name,
            RoleArn=role,
            AlgorithmSpecification=specification,
            HyperParameters=hyperparameters,
            InputDataConfig=[self._channel("train", data), self._channel("validation", data)],
            OutputDataConfig={"S3OutputPath": f"s3://{self.bucket}/demo/{self.stamp}/output"},
            ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
        )

    def _channel(self, name, data):
        source = {"S3DataType": "S3Prefix", "S3Uri": f"{data}/{name}/", "S3DataDistributionType": "FullyReplicated"}
        return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}

    def follow(self, job):
        """Yield ("status", text) and ("log", line) as they come, until the job has ended; then its description."""
        seen, token, stream = 0, None, None
        while True:
            description = self.sagemaker.describe_training_job(TrainingJobName=job)
            for transition in description["SecondaryStatusTransitions"][seen:]:
                yield "status", f"{transition['Status']} - {transition['StatusMessage']}"
            seen = len(description["SecondaryStatusTransitions"])
            stream = stream or self._stream(job)
            if stream:
                token, lines = self._lines(stream, token)
                yield from (("log", line) for line in lines)
            if description["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"):
                if stream or (stream := self._stream(job)):
                    _, lines = self._lines(stream, token)
                    yield from (("log", line) for line in lines)
                yield "ended", description
                return
            time.sleep(0.2)

    def _stream(self, job):
        try:
            found = self.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{job}/")["logStreams"]
        except self.logs.exceptions.ResourceNotFoundException:
            return None
        return found[0]["logStreamName"] if found else None

    def _lines(self, stream, token):
        lines = []
        while True:
            more = {"nextToken": token} if token else {}
            page = self.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **more)
            lines += [event["message"] for event in page["events"]]
            if not page["events"] or page["nextForwardToken"] == token:
                return page["nextForwardToken"], lines
            token = page["nextForwardToken"]

    def download(self, uri, target):
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        self.s3.download_file(bucket, key, str(target))

    def deploy(self, name, image, role, artefact):
        container = {"Image": image.format(region=self.region), "ModelDataUrl": artefact}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def endpoint_status(self, name):
        described = self.sagemaker.describe_endpoint(EndpointName=name)
        return described["EndpointStatus"], described.get("FailureReason", "")

    def ask(self, endpoint, row):
        """One row of features (CSV text without the label); answers the score."""
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=row)
        return float(re.split(r"[,\n]", answer["Body"].read().decode().strip())[0])

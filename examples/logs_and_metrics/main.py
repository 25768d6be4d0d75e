"""What a training job leaves in CloudWatch, and metrics and logs of one's own."""

import random
import time
from datetime import UTC, datetime, timedelta

import boto3

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
GROUP = "/aws/sagemaker/TrainingJobs"
session = boto3.Session()
s3, sagemaker = session.client("s3"), session.client("sagemaker")
logs, cloudwatch = session.client("logs"), session.client("cloudwatch")
account = session.client("sts").get_caller_identity()["Account"]
bucket, name = "example-logs", "example-logs"

numbers = random.Random(1)
rows = [[numbers.gauss(0, 1) for _ in range(3)] for _ in range(300)]
s3.create_bucket(Bucket=bucket)
body = "\n".join(",".join(map(str, [int(sum(row) > 0), *row])) for row in rows)
s3.put_object(Bucket=bucket, Key="train/rows.csv", Body=body.encode())
sagemaker.create_training_job(
    TrainingJobName=name,
    RoleArn=f"arn:aws:iam::{account}:role/service-role/AmazonSageMaker-ExecutionRole",
    AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    HyperParameters={"objective": "binary:logistic", "num_round": "10", "eval_metric": "error"},
    InputDataConfig=[
        {
            "ChannelName": "train",
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/train/"}},
        }
    ],
    OutputDataConfig={"S3OutputPath": f"s3://{bucket}/output"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    StoppingCondition={"MaxRuntimeInSeconds": 600},
)
waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 600})

# Its log: one stream for each instance, named <job>/algo-<n>-<time>.
[stream] = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
last = logs.get_log_events(logGroupName=GROUP, logStreamName=stream["logStreamName"], limit=3)["events"]
print("the log ends with", [event["message"] for event in last])
found = logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix=f"{name}/", filterPattern='"train-error"')
print(len(found["events"]), "lines speak of train-error")

# The same asked in Logs Insights: a number out of each line, and what is least of it.
asked = logs.start_query(
    logGroupName=GROUP,
    startTime=int(time.time()) - 3600,
    endTime=int(time.time()) + 60,
    queryString=rf"""
        filter @logStream like "{name}/"
        | parse @message /\[(?<round>\d+)\].*train-error:(?<error>[0-9.]+)/
        | filter ispresent(error)
        | stats count(*) as rounds, min(error) as least by @logStream
    """,
)
while (answer := logs.get_query_results(queryId=asked["queryId"]))["status"] in ("Scheduled", "Running"):
    time.sleep(0.1)
for row in answer["results"]:
    print("Insights:", {field["field"]: field["value"] for field in row if field["field"] != "@logStream"})

# Its metrics: last values in the description, all of them in CloudWatch.
final = sagemaker.describe_training_job(TrainingJobName=name)["FinalMetricDataList"]
print("final", {metric["MetricName"]: metric["Value"] for metric in final})
now = datetime.now(UTC)
metric = {
    "Namespace": GROUP,
    "MetricName": "train:error",
    "Dimensions": [{"Name": "TrainingJobName", "Value": name}],
}
query = {"Id": "error", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Minimum"}}
span = {"StartTime": now - timedelta(minutes=30), "EndTime": now + timedelta(minutes=1)}
[series] = cloudwatch.get_metric_data(MetricDataQueries=[query], **span)["MetricDataResults"]
print("lowest error by minute", series["Values"])

# And one's own.
cloudwatch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "Rows", "Value": 300, "Unit": "Count"}])
rows_seen = cloudwatch.get_metric_statistics(Namespace="Mine", MetricName="Rows", Period=60, Statistics=["Sum"], **span)
print("my own metric", rows_seen["Datapoints"][0]["Sum"])
logs.create_log_group(logGroupName="mine")
logs.create_log_stream(logGroupName="mine", logStreamName="run")
entry = {"timestamp": int(time.time() * 1000), "message": "hello"}
logs.put_log_events(logGroupName="mine", logStreamName="run", logEvents=[entry])
events = logs.get_log_events(logGroupName="mine", logStreamName="run", startFromHead=True)["events"]
print("my own log", [event["message"] for event in events])

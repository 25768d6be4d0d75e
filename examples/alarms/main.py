"""An alarm that watches an error rate, one over it that tells a topic, and the dashboard of both."""

import json
from datetime import UTC, datetime, timedelta

import boto3

session = boto3.Session()
cloudwatch, sns, sqs = session.client("cloudwatch"), session.client("sns"), session.client("sqs")

# Who is told: a topic, and a queue that hears of it.
topic = sns.create_topic(Name="example-alarms")["TopicArn"]
queue = sqs.create_queue(QueueName="example-alarms")["QueueUrl"]
queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
statement = {**allow, "Resource": queue_arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}
policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)


def metric(name, id):
    named = {"Namespace": "Example", "MetricName": name}
    return {"Id": id, "MetricStat": {"Metric": named, "Period": 10, "Stat": "Sum"}, "ReturnData": False}


# More than five errors in a hundred calls, over ten seconds.
cloudwatch.put_metric_alarm(
    AlarmName="example-error-rate",
    Metrics=[
        metric("Errors", "errors"),
        metric("Calls", "calls"),
        {"Id": "rate", "Expression": "100 * errors / calls", "Label": "errors in a hundred calls"},
    ],
    EvaluationPeriods=1,
    Threshold=5,
    ComparisonOperator="GreaterThanThreshold",
    TreatMissingData="ignore",
)
cloudwatch.put_composite_alarm(AlarmName="example-service", AlarmRule="ALARM(example-error-rate)", AlarmActions=[topic])

at = datetime.now(UTC) - timedelta(seconds=10)
counted = [("Calls", 200), ("Errors", 30)]
data = [{"MetricName": name, "Value": count, "Timestamp": at, "StorageResolution": 1} for name, count in counted]
cloudwatch.put_metric_data(Namespace="Example", MetricData=data)

[message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
told = json.loads(json.loads(message["Body"])["Message"])
print("told:", told["AlarmName"], told["OldStateValue"], "->", told["NewStateValue"])
[alarm] = cloudwatch.describe_alarms(AlarmNames=["example-error-rate"])["MetricAlarms"]
print("because:", alarm["StateReason"])
for item in cloudwatch.describe_alarm_history(AlarmName="example-error-rate")["AlarmHistoryItems"]:
    print("history:", item["HistorySummary"])

place = {"x": 0, "y": 0, "width": 12, "height": 6}
shown = {"metrics": [["Example", "Calls"], [".", "Errors"]], "region": session.region_name, "stat": "Sum"}
body = {"widgets": [{"type": "metric", **place, "properties": {**shown, "title": "Calls and errors"}}]}
body["widgets"].append({"type": "alarm", **place, "properties": {"alarms": [alarm["AlarmArn"]]}})
cloudwatch.put_dashboard(DashboardName="example-service", DashboardBody=json.dumps(body))
cloudwatch.delete_alarms(AlarmNames=["example-service", "example-error-rate"])

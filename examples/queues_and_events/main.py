"""Queues with retries and dead letters, and a rule that puts SageMaker's events into one: a model is approved."""

import json

import boto3

session = boto3.Session()
sqs, events, sagemaker = session.client("sqs"), session.client("events"), session.client("sagemaker")


def arn_of(url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(url, seconds=20):
    """The next message, waited for; it is taken out of the queue."""
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=seconds, AttributeNames=["All"])["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message


# Orders in their order, each once however often it is sent.
orders = sqs.create_queue(QueueName="example-orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
for order in ("a-1", "a-1", "a-2"):
    sqs.send_message(QueueUrl=orders, MessageBody=order, MessageGroupId="a", MessageDeduplicationId=order)
print("orders", [received(orders)["Body"] for _ in range(2)])

# What nobody can work off is put aside after two tries.
aside = sqs.create_queue(QueueName="example-aside")["QueueUrl"]
policy = json.dumps({"deadLetterTargetArn": arn_of(aside), "maxReceiveCount": 2})
work = sqs.create_queue(QueueName="example-work", Attributes={"RedrivePolicy": policy})["QueueUrl"]
sqs.send_message(QueueUrl=work, MessageBody="poison")
for _ in range(3):
    sqs.receive_message(QueueUrl=work, VisibilityTimeout=0)
print("put aside:", received(aside)["Body"])

# A rule listens to the registry; whoever reads the queue hears of each approval.
approvals = sqs.create_queue(QueueName="example-approvals")["QueueUrl"]
pattern = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Model Package State Change"],
    "detail": {"ModelApprovalStatus": ["Approved"], "ModelPackageGroupName": [{"prefix": "example-"}]},
}
events.put_rule(Name="example-approvals", EventPattern=json.dumps(pattern))
template = {
    "InputPathsMap": {"group": "$.detail.ModelPackageGroupName", "version": "$.detail.ModelPackageVersion"},
    "InputTemplate": '"version <version> of <group> was approved"',
}
target = {"Id": "queue", "Arn": arn_of(approvals), "InputTransformer": template}
events.put_targets(Rule="example-approvals", Targets=[target])
sagemaker.create_model_package_group(ModelPackageGroupName="example-events")
image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
package = sagemaker.create_model_package(
    ModelPackageGroupName="example-events",
    InferenceSpecification={
        "Containers": [{"Image": image}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    },
)["ModelPackageArn"]
sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
print("heard:", json.loads(received(approvals)["Body"]))

# One's own events go the same way.
events.put_rule(Name="example-shop", EventPattern='{"detail": {"total": [{"numeric": [">", 100]}]}}')
events.put_targets(Rule="example-shop", Targets=[{"Id": "queue", "Arn": arn_of(work), "InputPath": "$.detail"}])
entries = [
    {"Source": "shop", "DetailType": "Order", "Detail": json.dumps({"order": name, "total": total})}
    for name, total in (("small", 5), ("large", 500))
]
events.put_events(Entries=entries)
print("a large order:", json.loads(received(work)["Body"])["order"])

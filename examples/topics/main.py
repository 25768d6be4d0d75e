"""Topics: who subscribed is told, of what he asked for; a bucket publishes, and a signature is checked."""

import base64
import json
import urllib.request

import boto3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

session = boto3.Session()
sns, sqs, s3 = session.client("sns"), session.client("sqs"), session.client("s3")


def subscribed_queue(topic, name, **attributes):
    """The URL of a new queue that hears of the topic."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    return url


def received(url):
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in messages]


# Everybody hears of everything but the one who asked for grave violations alone.
topic = sns.create_topic(Name="example-violations")["TopicArn"]
everything = subscribed_queue(topic, "example-everything", RawMessageDelivery="true")
grave = subscribed_queue(
    topic,
    "example-grave",
    RawMessageDelivery="true",
    FilterPolicyScope="MessageBody",
    FilterPolicy=json.dumps({"distance": [{"numeric": [">=", 0.5]}], "feature": [{"prefix": "Day"}]}),
)
for feature, distance in (("Day Mins", 0.1), ("Day Calls", 0.7), ("Eve Mins", 0.9)):
    sns.publish(TopicArn=topic, Message=json.dumps({"feature": feature, "distance": distance}))
print("heard", len(received(everything)), "of which grave:", [json.loads(body)["feature"] for body in received(grave)])

# A bucket tells a topic of new training data.
bucket = "example-topics-data"
s3.create_bucket(Bucket=bucket)
arrivals = sns.create_topic(Name="example-arrivals")["TopicArn"]
inbox = subscribed_queue(arrivals, "example-arrivals")
rules = [{"Name": "prefix", "Value": "incoming/"}, {"Name": "suffix", "Value": ".csv"}]
configuration = {"TopicArn": arrivals, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
s3.put_bucket_notification_configuration(
    Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [configuration]}
)
for key in ("incoming/march.csv", "incoming/readme.txt"):
    s3.put_object(Bucket=bucket, Key=key, Body=b"1,2\n")
notifications = [json.loads(body) for body in received(inbox)]
events = [json.loads(each["Message"]) for each in notifications]
print("arrived:", [record["s3"]["object"]["key"] for event in events for record in event.get("Records", [])])

# What came is really signed.
note = notifications[-1]
names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
text = "".join(f"{name}\n{note[name]}\n" for name in names if name in note)
with urllib.request.urlopen(note["SigningCertURL"]) as answer:
    key = x509.load_pem_x509_certificate(answer.read()).public_key()
digest = hashes.SHA256() if note["SignatureVersion"] == "2" else hashes.SHA1()
key.verify(base64.b64decode(note["Signature"]), text.encode(), PKCS1v15(), digest)
print("the signature holds")

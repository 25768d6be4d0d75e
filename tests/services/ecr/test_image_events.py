"""A push that a rule waits for, into a queue."""

from __future__ import annotations

import json

from image_pushing import OCI_CONFIG, OCI_MANIFEST, RegistryClient, SmallImage

from server_process import ACCOUNT, ServerProcess


def test_rules_are_told_of_pushes_and_deletions(server: ServerProcess) -> None:
    ecr, events, sqs = (server.client(service) for service in ("ecr", "events", "sqs"))
    name, image = "events/told", SmallImage("events/told")
    url = sqs.create_queue(QueueName="image-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    pattern = {"source": ["aws.ecr"], "detail": {"repository-name": [name]}}
    events.put_rule(Name="image-events", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="image-events", Targets=[{"Id": "queue", "Arn": arn}])
    ecr.create_repository(repositoryName=name)
    RegistryClient(server).push(name, image, "1")
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "1"}])
    told = []
    while len(told) < 2:
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10)["Messages"]
        told += [json.loads(message["Body"]) for message in found]
    told.sort(key=lambda event: event["detail"]["action-type"], reverse=True)
    assert [event["detail"]["action-type"] for event in told] == ["PUSH", "DELETE"]
    for event in told:
        assert (event["detail-type"], event["account"], event["resources"]) == ("ECR Image Action", ACCOUNT, [])
        assert {key: value for key, value in event["detail"].items() if key != "action-type"} == {
            "result": "SUCCESS",
            "repository-name": name,
            "image-digest": image.digest,
            "image-tag": "1",
            "manifest-media-type": OCI_MANIFEST,
            "artifact-media-type": OCI_CONFIG,
        }
    events.remove_targets(Rule="image-events", Ids=["queue"])
    events.delete_rule(Name="image-events")

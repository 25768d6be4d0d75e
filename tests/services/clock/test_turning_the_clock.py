"""``cloche clock``: a process of its own turns Cloche's time; unmodified clients see what passed."""

from __future__ import annotations

import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from server_process import ServerProcess

sys.path.insert(0, str(Path(__file__).parent.parent / "sagemaker"))

from hosting_requests import Hosting, trained

DAY = 86_400


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server whose clock stands still."""
    running = ServerProcess(tmp_path_factory.mktemp("clock") / "data").start()
    running.turn_clock("freeze")
    yield running
    running.stop(signal.SIGKILL)
    running.end_what_runs()


def now(server: ServerProcess) -> datetime:
    shown = server.turn_clock()[:19]
    return datetime.strptime(shown, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def test_a_frozen_clock_stands_still_and_an_advance_moves_it(turned: ServerProcess) -> None:
    before = now(turned)
    time.sleep(1.1)
    assert now(turned) == before
    turned.turn_clock("advance", "+1d12h")
    assert now(turned) == before + timedelta(days=1, hours=12)
    assert "stands still" in turned.turn_clock()


def test_what_is_made_carries_cloches_time(turned: ServerProcess) -> None:
    turned.turn_clock("advance", "30d")
    s3 = turned.client("s3")
    s3.create_bucket(Bucket="clock-dates")
    s3.put_object(Bucket="clock-dates", Key="a", Body=b"x")
    at = s3.head_object(Bucket="clock-dates", Key="a")["LastModified"]
    assert at == now(turned)
    assert at > datetime.now(UTC) + timedelta(days=29), "and signatures were checked against the machine's own clock"


def test_a_message_delayed_is_there_when_its_time_has_come(turned: ServerProcess) -> None:
    sqs = turned.client("sqs")
    queue = sqs.create_queue(QueueName="clock-delayed")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=900)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)))
    waiting.start()
    time.sleep(0.2)
    turned.turn_clock("advance", "15m")
    waiting.join()
    assert found[0]["Messages"][0]["Body"] == "later", "a long poll that was waiting got it at once"


def test_temporary_keys_expire_by_cloches_clock(turned: ServerProcess) -> None:
    made = turned.client("sts").get_session_token(DurationSeconds=3600)["Credentials"]
    keys = {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }
    theirs = turned.client("sts", **keys)
    theirs.get_caller_identity()
    turned.turn_clock("advance", "59m")
    theirs.get_caller_identity()
    turned.turn_clock("advance", "2m")
    with pytest.raises(ClientError) as refused:
        theirs.get_caller_identity()
    assert refused.value.response["Error"]["Code"] == "ExpiredToken"


def test_what_ages_does_so_by_cloches_clock(turned: ServerProcess) -> None:
    """Retention, lifetimes and waiting, all over one advance; a link that was signed before it is still good."""
    s3, logs, sqs, sns = (turned.client(service) for service in ("s3", "logs", "sqs", "sns"))
    s3.create_bucket(Bucket="clock-ages")
    expires = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket="clock-ages", LifecycleConfiguration={"Rules": [expires]})
    for key in ("old/a", "kept/a"):
        s3.put_object(Bucket="clock-ages", Key=key, Body=b"x")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "clock-ages", "Key": "kept/a"}, ExpiresIn=600)
    for group, days in (("clock-short", 1), ("clock-long", 30)):
        logs.create_log_group(logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=days)
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        event = {"timestamp": int(now(turned).timestamp() * 1000), "message": "m"}
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])
    queues = {
        name: sqs.create_queue(QueueName=f"clock-{name}", Attributes={"MessageRetentionPeriod": seconds})["QueueUrl"]
        for name, seconds in (("short", "3600"), ("long", "864000"))
    }
    for queue in queues.values():
        sqs.send_message(QueueUrl=queue, MessageBody="m")
    taken = sqs.receive_message(QueueUrl=queues["long"], VisibilityTimeout=43_200)["Messages"]
    topic = sns.create_topic(Name="clock-ages")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="nobody@example.com")
    passwords = turned.client("ecr").get_authorization_token()["authorizationData"]
    expiry = passwords[0]["expiresAt"].replace(microsecond=0)
    assert expiry - now(turned) == timedelta(hours=12), "tests of ECR let it pass"
    turned.turn_clock("advance", "3d")
    listed = s3.list_objects_v2(Bucket="clock-ages")["Contents"]
    assert [found["Key"] for found in listed] == ["kept/a"]
    told = {g: logs.filter_log_events(logGroupName=g)["events"] for g in ("clock-short", "clock-long")}
    assert [len(told[group]) for group in ("clock-short", "clock-long")] == [0, 1]
    assert "Messages" not in sqs.receive_message(QueueUrl=queues["short"])
    again = sqs.receive_message(QueueUrl=queues["long"])["Messages"]
    assert again[0]["MessageId"] == taken[0]["MessageId"], "it is visible again after its time"
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == [], "nobody confirmed it in two days"
    with urllib.request.urlopen(link, timeout=30) as answer:
        assert answer.read() == b"x", "links go by the machine's clock"


def test_the_clock_waits_for_a_job_and_not_for_an_idle_server(turned: ServerProcess) -> None:
    """Also: a job is timed by the machine's clock, and works while Cloche's stands still."""
    sagemaker, s3, iam = turned.client("sagemaker"), turned.client("s3"), turned.client("iam")
    s3.create_bucket(Bucket="clock-jobs")
    trust = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
        ' "Principal": {"Service": "sagemaker.amazonaws.com"}}]}'
    )
    role = iam.create_role(RoleName="clock-job", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    sagemaker.create_processing_job(
        ProcessingJobName="clock-waits",
        RoleArn=role,
        AppSpecification={"ImageUri": image, "ContainerEntrypoint": ["sleep", "1"]},
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )
    turned.turn_clock("advance", "1h")
    job = sagemaker.describe_processing_job(ProcessingJobName="clock-waits")
    assert job["ProcessingJobStatus"] == "Completed"
    assert now(turned) - job["ProcessingEndTime"].replace(tzinfo=UTC) > timedelta(minutes=59)


def test_what_an_endpoint_captured_is_in_s3_before_time_goes_on(turned: ServerProcess) -> None:
    hosting = Hosting(turned.client)
    name = "clock-captured"
    variant = {"VariantName": "v", "ModelName": hosting.model(hosting.put(trained(1)[0]))}
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{**variant, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}],
        DataCaptureConfig={
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://hosting-models/{name}",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        },
    )
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert hosting.settled(name)["EndpointStatus"] == "InService"
    for _ in range(2):
        at = now(turned)
        hosting.ask(name)
        turned.turn_clock("advance", "1h")
        hour = f"{name}/{name}/v/{at:%Y/%m/%d/%H}/"
        (found,) = hosting.s3.list_objects_v2(Bucket="hosting-models", Prefix=hour)["Contents"]
        assert found["Key"].startswith(f"{hour}{at:%M-%S}-")
        assert found["LastModified"] == at
    hosting.gone(name)


@pytest.mark.parametrize(
    "arguments",
    [("advance", "soon"), ("advance", "-1h"), ("set", "yesterday"), ("set", "2001-01-01"), ("advance", "99999w")],
)
def test_what_is_no_time_or_a_past_one_is_refused(turned: ServerProcess, arguments: tuple[str, str]) -> None:
    before = now(turned)
    assert turned.turn_clock(*arguments, fails=True)
    assert now(turned) == before


def test_the_clock_is_where_it_was_after_a_kill(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    server.turn_clock("advance", "60d")
    ahead = now(server) - datetime.now(UTC)
    server.turn_clock("freeze")
    server.turn_clock("resume")
    server.stop(signal.SIGKILL)
    server.start()
    assert timedelta(days=59) < now(server) - datetime.now(UTC) < timedelta(days=61)
    server.turn_clock("freeze")
    stood = now(server)
    server.stop(signal.SIGKILL)
    server.start()
    assert now(server) == stood
    assert ahead > timedelta(days=59)

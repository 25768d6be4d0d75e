"""The console's door, and its pages over answers of the shapes the operations give."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cloche.aws.errors import AwsError
from cloche.console.app import Console
from cloche.console.asking import Members
from cloche.console.curves import Curves, charts, collect
from cloche.console.flow import Flow
from cloche.console.pages import Place
from cloche.console.recent import Recent
from cloche.engines.topics.mails import Mail
from cloche.foundation.agenda import Agenda
from cloche.foundation.bus import Bus, EventDelivered, RequestServed
from cloche.foundation.clock import TurnableClock

AT = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
JOB = {
    "TrainingJobName": "job-1",
    "TrainingJobStatus": "Failed",
    "SecondaryStatus": "Failed",
    "FailureReason": "<script>alert(1)</script>",
    "CreationTime": AT,
    "TrainingEndTime": AT,
    "RoleArn": "arn:aws:iam::123456789012:role/r",
    "AlgorithmSpecification": {"TrainingImage": "image:1", "TrainingInputMode": "FastFile"},
    "CheckpointConfig": {"S3Uri": "s3://b/kept/"},
    "EnableManagedSpotTraining": True,
    "TrainingTimeInSeconds": 500,
    "BillableTimeInSeconds": 100,
    "WarmPoolStatus": {"Status": "Reused", "ReusedByJob": "job-2"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"},
    "SecondaryStatusTransitions": [{"Status": "Starting", "StatusMessage": "Starting", "StartTime": AT, "EndTime": AT}],
    "FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.93, "Timestamp": AT}],
    "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/train/"}}}],
    "ModelArtifacts": {"S3ModelArtifacts": "s3://b/o/model.tar.gz"},
    "HyperParameters": {"eta": "0.1"},
}
DEFINITION = json.dumps(
    {
        "Version": "2020-12-01",
        "Steps": [
            {"Name": "train", "Type": "Training", "Arguments": {}},
            {
                "Name": "ask",
                "Type": "Condition",
                "DependsOn": ["train"],
                "Arguments": {
                    "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
                    "IfSteps": [{"Name": "end", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}],
                },
            },
        ],
    }
)
EXECUTION = {
    "PipelineExecutionArn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p/execution/abc",
    "PipelineExecutionDisplayName": "execution-1",
    "PipelineExecutionStatus": "Failed",
    "StartTime": AT,
}
MAILS = [
    Mail(1, "123456789012", "us-east-1", "arn:aws:sns:us-east-1:123456789012:news", "a@b", "s", text, 0.0, None)
    for text in ("<i>hello", "join\nhttp://127.0.0.1/?Action=ConfirmSubscription&Token=1\n")
]
LOG = ["[0]#011train-auc:0.9#011validation-auc:0.8", "words", "[1]#011train-auc:0.95#011validation-auc:0.85"]
ANSWERS: dict[str, Members] = {
    "ListQueues": {"QueueUrls": ["http://h/123456789012/jobs.fifo"], "NextToken": "on&on"},
    "GetQueueAttributes": {"Attributes": {"FifoQueue": "true", "ApproximateNumberOfMessages": "7"}},
    "ListEventBuses": {"EventBuses": [{"Name": "default"}]},
    "ListRules": {
        "Rules": [
            {
                "Name": "r",
                "Arn": "arn:rule",
                "EventBusName": "default",
                "State": "ENABLED",
                "EventPattern": '{"source": ["<i>"]}',
                "ScheduleExpression": "rate(1 hour)",
            }
        ]
    },
    "ListSchedules": {"Schedules": [{"Name": "s", "GroupName": "default"}]},
    "GetSchedule": {
        "Name": "s",
        "Arn": "arn:schedule",
        "GroupName": "default",
        "State": "ENABLED",
        "ScheduleExpression": "cron(0 9 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "Target": {"Arn": "arn:target"},
    },
    "ListPipes": {"Pipes": [{"Name": "p", "CurrentState": "RUNNING", "Source": "arn:from", "Target": "arn:to"}]},
    "ListTopics": {"Topics": [{"TopicArn": "arn:aws:sns:us-east-1:123456789012:news"}], "NextToken": "on&on"},
    "ListSubscriptionsByTopic": {
        "Subscriptions": [
            {"Protocol": "http", "Endpoint": "http://127.0.0.1/<b>", "SubscriptionArn": "PendingConfirmation"}
        ]
    },
    "ListTargetsByRule": {"Targets": [{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:jobs"}]},
    "ListTrainingJobs": {"TrainingJobSummaries": [JOB], "NextToken": "more&more"},
    "DescribeTrainingJob": JOB,
    "ListEndpoints": {"Endpoints": [{"EndpointName": "e", "EndpointStatus": "InService", "CreationTime": AT}]},
    "DescribeScalableTargets": {"ScalableTargets": []},
    "DescribeEndpoint": {
        "EndpointName": "e",
        "EndpointStatus": "InService",
        "ProductionVariants": [
            {"VariantName": "A", "CurrentWeight": 1.0, "CurrentInstanceCount": 1, "DesiredInstanceCount": 1}
        ],
    },
    "ListMonitoringSchedules": {"MonitoringScheduleSummaries": [{"MonitoringScheduleName": "watch"}]},
    "ListInferenceComponents": {"InferenceComponents": [{"InferenceComponentName": "part"}]},
    "DescribeInferenceComponent": {
        "InferenceComponentName": "part",
        "InferenceComponentStatus": "Creating",
        "RuntimeConfig": {"CurrentCopyCount": 0, "DesiredCopyCount": 2},
    },
    "GetMetricData": {
        "MetricDataResults": [
            {"Id": "m0v0", "Timestamps": [], "Values": []},
            {"Id": "r0m0", "Timestamps": [AT], "Values": [6.0]},
            {"Id": "r0m1", "Timestamps": [AT], "Values": [6.0]},
            {"Id": "r0m2", "Timestamps": [AT], "Values": [2.0]},
        ]
    },
    "DescribeLogStreams": {"logStreams": [{"logStreamName": "job-1/algo-1-1"}]},
    "GetLogEvents": {"events": [{"message": line} for line in LOG], "nextForwardToken": "f/1"},
    "ListBuckets": {"Buckets": [{"Name": "b", "CreationDate": AT}]},
    "ListObjectsV2": {
        "CommonPrefixes": [{"Prefix": "a/b?/"}],
        "Contents": [{"Key": "a/<b>.csv", "Size": 12, "LastModified": AT}],
        "NextContinuationToken": "t",
    },
    "HeadObject": {"ContentLength": 5, "LastModified": AT, "ContentType": "text/csv", "ETag": '"e"', "Metadata": {}},
    "GetObject": {"Body": b"1,2,3"},
    "GetObjectTagging": {"TagSet": [{"Key": "k", "Value": "v"}]},
    "InvokeEndpoint": {"Body": b"0.5", "ContentType": "text/csv", "InvokedProductionVariant": "A"},
    "StopTrainingJob": {},
    "StopPipelineExecution": {},
    "ListPipelines": {
        "PipelineSummaries": [
            {"PipelineName": "p", "CreationTime": AT, "LastExecutionTime": AT},
            {"PipelineName": "new", "CreationTime": AT},
        ]
    },
    "DescribePipeline": {
        "PipelineName": "p",
        "PipelineArn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p",
        "PipelineStatus": "Active",
        "PipelineDefinition": DEFINITION,
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "LastModifiedTime": AT,
    },
    "ListPipelineExecutions": {"PipelineExecutionSummaries": [EXECUTION]},
    "DescribePipelineExecution": {**EXECUTION, "CreationTime": AT, "FailureReason": "<b>no</b>"},
    "DescribePipelineDefinitionForExecution": {"PipelineDefinition": DEFINITION},
    "ListPipelineParametersForExecution": {"PipelineParameters": [{"Name": "Depth", "Value": "5"}]},
    "ListPipelineExecutionSteps": {
        "PipelineExecutionSteps": [
            {
                "StepName": "train",
                "StepStatus": "Failed",
                "StartTime": AT,
                "EndTime": AT,
                "AttemptCount": 1,
                "FailureReason": "it broke",
                "Metadata": {"TrainingJob": {"Arn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/job-1"}},
            }
        ]
    },
    "ListProcessingJobs": {
        "ProcessingJobSummaries": [{"ProcessingJobName": "job-1", "ProcessingJobStatus": "Failed", "CreationTime": AT}],
        "NextToken": "more&more",
    },
    "DescribeProcessingJob": {
        "ProcessingJobName": "job-1",
        "ProcessingJobStatus": "Failed",
        "FailureReason": "AlgorithmError: , exit code: 1",
        "ExitMessage": "<b>no luck</b>",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["python3", "x.py"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large"}},
        "ProcessingInputs": [
            {"InputName": "rows", "S3Input": {"S3Uri": "s3://b/rows/", "LocalPath": "/p", "S3InputMode": "Pipe"}}
        ],
        "CreationTime": AT,
        "ProcessingEndTime": AT,
    },
}


async def ask(service: str, operation: str, members: Members) -> Members:
    if operation == "DescribeTrainingJob" and members["TrainingJobName"] == "gone":
        raise AwsError("ValidationException", "Requested resource not found.")
    if operation == "GetLogEvents" and "nextToken" in members:
        return {"events": [], "nextForwardToken": "f/1"}
    return ANSWERS[operation]


def get(path: str, *, query: str = "", method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, str, str]:
    """(status, body, location) of one request with the console's cookie, unless ``cookie`` says otherwise."""
    bus = Bus()
    flow = Flow(bus, {"arn:rule": AT.timestamp(), "arn:schedule": AT.timestamp()}.get)
    place, agenda = Place("123456789012", "us-east-1", "0", "data"), Agenda(TurnableClock())
    console = Console(ask, Recent(bus), flow, place, "secret", agenda, lambda: MAILS)
    bus.tell(RequestServed(0.0, "id", "s3", "PutObject", "arn", 200, "", 0.001))
    bus.tell(EventDelivered(0.0, "a:b:c:d:e:rule/r", "a:b:c:d:e:jobs", "Order", "dead letter", "<b>why"))
    lines = {
        "cookie": "cloche_console=secret",
        "host": "localhost:1",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in lines.items()],
        "scheme": "http",
        "server": ("localhost", 1),
        "root_path": "",
    }
    sent: list[Any] = []
    arriving = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if arriving:
            return arriving.pop()
        return await asyncio.Event().wait()  # a client that stays

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(console(scope, receive, send))
    text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], text, answered.get("location", "")


PAGES = [
    ("/", "", "job-1"),
    ("/_cloche/training", "name=job", "more%26more"),
    ("/_cloche/training/job-1", "", "validation:auc"),
    ("/_cloche/training/job-1", "shown=mode", "FastFile"),
    ("/_cloche/training/job-1", "shown=checkpoints", "s3://b/kept/"),
    ("/_cloche/training/job-1", "shown=spot", "100 s billed of 500 s"),
    ("/_cloche/training/job-1", "shown=pool", "Reused by job-2"),
    ("/_cloche/pipelines", "", "/_cloche/pipelines/p"),
    ("/_cloche/pipelines", "shown=new", "never"),
    ("/_cloche/pipelines/p", "", "execution-1"),
    ("/_cloche/pipelines/p", "shown=graph", 'class="node waiting" data-key="ask"'),
    ("/_cloche/pipelines/p/abc", "", "it broke"),
    ("/_cloche/pipelines/p/abc", "shown=graph", 'class="node bad" data-key="train"'),
    ("/_cloche/pipelines/p/abc", "shown=reason", "&lt;b&gt;no&lt;/b&gt;"),
    ("/_cloche/pipelines/p/abc", "shown=made", "/_cloche/training/job-1"),
    ("/_cloche/pipelines/p/abc", "shown=parameters", "Depth"),
    ("/_cloche/processing", "name=job", "more%26more"),
    ("/_cloche/processing/job-1", "", "&lt;b&gt;no luck&lt;/b&gt;"),
    ("/_cloche/processing/job-1", "host=algo-2", "?host=algo-1"),
    ("/_cloche/endpoints", "", "InService"),
    ("/_cloche/endpoints/e", "", "requests a minute"),
    ("/_cloche/endpoints/e", "part=2", "0 of 2"),
    ("/_cloche/s3", "", "/_cloche/s3/b"),
    ("/_cloche/s3/b", "prefix=a/", "prefix=a/b%3F/"),
    ("/_cloche/s3/b/object", "key=a/x.csv", "1,2,3"),
    ("/_cloche/queues", "", "next=on%26on"),
    ("/_cloche/queues", "shown=counts", '<td>jobs.fifo <small>FIFO</small><td class="number">7'),
    ("/_cloche/rules", "", "&lt;i&gt;"),
    ("/_cloche/rules", "shown=next", '<code>rate(1 hour)</code> <span class="dim">next 2026-11-25'),
    ("/_cloche/rules", "shown=schedule", "<code>cron(0 9 * * ? *)</code>"),
    ("/_cloche/rules", "shown=pipe", "<td>RUNNING<td>arn:from<td><td>arn:to"),
    ("/_cloche/rules", "shown=letter", '<span class="badge bad">dead letter</span> <span class="dim">&lt;b&gt;why'),
    ("/_cloche/rules", "shown=sums", '<td class="number">6<td class="number">4<td class="number">2'),
    ("/_cloche/topics", "", "http http://127.0.0.1/&lt;b&gt; <small>to be confirmed</small>"),
    ("/_cloche/topics", "shown=sums", '<td class="number">6<td class="number">6<td class="number">2'),
    ("/_cloche/mail", "", "&lt;i&gt;hello"),
    ("/_cloche/mail", "shown=link", '<a href="/?Action=ConfirmSubscription&amp;Token=1">Confirm</a>'),
    ("/_cloche/time", "", ">runs</span>"),
    ("/_cloche/requests", "", "PutObject"),
]


@pytest.mark.parametrize(("path", "query", "shown"), PAGES, ids=[f"{path}?{query}" for path, query, _ in PAGES])
@pytest.mark.parametrize("fragment", [False, True], ids=["page", "fragment"])
def test_pages_show_what_the_operations_answer(path: str, query: str, shown: str, fragment: bool) -> None:
    status, text, _ = get(path, query=query, **({"hx_request": "true"} if fragment else {}))
    assert status == (286 if fragment and path.endswith(("job-1", "/abc")) else 200)  # 286: htmx need not ask again
    if not (fragment and path in ("/_cloche/training", "/_cloche/processing")):
        assert shown in text


def test_what_a_user_wrote_is_text_not_markup() -> None:
    _, text, _ = get("/_cloche/training/job-1")
    assert "<script>alert(1)" not in text and "&lt;script&gt;alert(1)" in text


def test_a_thing_that_is_not_there_is_a_page_that_says_so() -> None:
    status, text, _ = get("/_cloche/training/gone")
    assert status == 404 and "Requested resource not found." in text


def test_without_the_token_nothing_opens() -> None:
    for cookie in ("", "cloche_console=wrong"):
        status, text, _ = get("/", cookie=cookie)
        assert status == 401 and "job-1" not in text
    assert get("/", query="token=wrong", cookie="")[0] == 401


def test_the_link_becomes_a_cookie_and_leaves_the_address_bar() -> None:
    status, _, location = get("/", query="token=secret", cookie="")
    assert (status, location) == (303, "/")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"sec_fetch_site": "cross-site", "origin": "http://localhost:1"},
        {"sec_fetch_site": "same-site"},
        {"origin": "null"},
    ],
)
def test_a_change_must_come_from_these_pages(headers: dict[str, str]) -> None:
    assert get("/_cloche/training/job-1/stop", method="POST", **headers)[0] == 403


def test_a_change_from_these_pages_is_made() -> None:
    origin = {"origin": "http://localhost:1", "sec_fetch_site": "same-origin"}
    assert get("/_cloche/training/job-1/stop", method="POST", **origin)[0] == 303


def test_an_execution_is_stopped_from_its_page() -> None:
    origin = {"origin": "http://localhost:1", "sec_fetch_site": "same-origin"}
    status, _, location = get("/_cloche/pipelines/p/abc/stop", method="POST", **origin)
    assert (status, location) == (303, "/_cloche/pipelines/p/abc")
    assert get("/_cloche/pipelines/p/start", method="POST")[0] == 403


def test_an_endpoint_can_be_tried() -> None:
    body = b"content_type=text%2Fcsv&body=1%2C2%0D%0A3%2C4"
    kind = {"content_type": "application/x-www-form-urlencoded", "sec_fetch_site": "same-origin"}
    status, text, _ = get("/_cloche/endpoints/e/try", method="POST", body=body, **kind)
    assert status == 200 and "0.5" in text and "answered" in text


def test_a_download_is_never_a_page_of_this_origin() -> None:
    status, text, _ = get("/_cloche/s3/b/download", query="key=a/evil.html")
    assert (status, text) == (200, "1,2,3")


def test_a_long_log_is_read_on_from_where_it_was_left() -> None:
    lines = [f"[{n}]#011train-auc:0.5" for n in range(50_000)]
    asked: list[int] = []

    async def logs(service: str, operation: str, members: Members) -> Members:
        at = int(members.get("nextToken", 0))
        asked.append(at)
        page = lines[at : at + members["limit"]]
        return {"events": [{"message": line} for line in page], "nextForwardToken": str(at + len(page))}

    async def views() -> list[tuple[int, bool]]:
        curves = Curves(logs, "group")
        return [((await curves.of_rounds("s"))[0][0]["x"][-1], (await curves.of_rounds("s"))[1]) for _ in range(3)]

    assert asyncio.run(views()) == [(19_999, False), (49_999, True), (49_999, True)]
    assert asked == [0, 10_000, 20_000, 30_000, 40_000, 50_000, 50_000, 50_000, 50_000]


def test_many_rounds_are_thinned_and_the_last_is_kept() -> None:
    lines: dict[str, dict[str, dict[int, float]]] = {"auc": {"train": {n: n / 10_000 for n in range(10_000)}}}
    [chart] = charts(lines)
    assert 1_000 < len(chart["x"]) <= 1_500 and chart["x"][-1] == 9_999
    assert chart["series"][0]["values"][-1] == 0.9999


def test_recent_requests_are_remembered_before_anybody_looks() -> None:
    bus = Bus()
    recent = Recent(bus)
    for n in range(400):
        bus.tell(RequestServed(0.0, f"id-{n}", "s3", "PutObject", "arn", 200, "", 0.001))
    assert [served.request_id for served in recent.newest(2)] == ["id-399", "id-398"]
    assert len(recent.newest()) == 300


def test_curves_are_read_from_the_rounds_in_the_log() -> None:
    lines: dict[str, dict[str, dict[int, float]]] = {}
    collect(lines, [{"message": line} for line in LOG])
    [chart] = charts(lines)
    assert chart["title"] == "auc" and chart["x"] == [0, 1]
    assert chart["series"] == [
        {"label": "train", "values": [0.9, 0.95]},
        {"label": "validation", "values": [0.8, 0.85]},
    ]

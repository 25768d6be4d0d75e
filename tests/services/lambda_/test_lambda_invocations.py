"""Invocations: what a handler is given, what comes back, and everything a function can do wrong."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from function_requests import ask, make_function

Client = Callable[..., Any]
CODE = """
import json, logging, os, signal, subprocess, sys, time
logging.getLogger().setLevel("INFO")
COUNT = 0

def lambda_handler(event, context):
    global COUNT
    COUNT += 1
    return globals()[event["do"]](event, context)

def count(event, context):
    return COUNT

def told(event, context):
    names = "aws_request_id function_name function_version invoked_function_arn memory_limit_in_mb log_group_name"
    found = {name: getattr(context, name) for name in names.split()}
    found["remaining"] = context.get_remaining_time_in_millis()
    found["client"] = context.client_context and context.client_context.custom
    found["variables"] = {name: os.environ.get(name) for name in event["variables"]}
    found["here"] = [os.getcwd(), os.environ["LAMBDA_TASK_ROOT"]]
    return found

def who(event, context):
    import boto3
    return boto3.client("sts").get_caller_identity()["Arn"]

def fail(event, context):
    raise KeyError("it is not there")

def say(event, context):
    print("printed\\tas it is")
    logging.info("logged")
    print("on the other stream", file=sys.stderr)
    return None

def write(event, context):
    with open("/tmp/kept", "a") as file:
        file.write("x")
    try:
        open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "own"), "w")
    except OSError as error:
        return [os.path.getsize("/tmp/kept"), type(error).__name__]

def leave(event, context):
    sys.exit(event["code"])

def die(event, context):
    os.kill(os.getpid(), signal.SIGKILL)

def sleep(event, context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(event["seconds"])
    return COUNT

def big(event, context):
    return "x" * event["bytes"]

def fork(event, context):
    if os.fork() == 0:
        return "the child's"
    time.sleep(0.1)
    return "the parent's"

def unsayable(event, context):
    return {"a": {1, 2}}

def raw(event, context):
    return b"\\x00\\x01 no JSON"

def talk(event, context):
    line = "x" * 1000 + "\\n"
    for _ in range(event["lines"]):
        sys.stdout.write(line)
    return "talked"

def eat(event, context):
    held = [bytearray(os.urandom(1 << 20)) for _ in range(event["mib"])]
    time.sleep(2)
    return len(held)

def silence(event, context):
    os.close(1); os.close(2); sys.stdout = None
    return "silent"

def garble(event, context):
    import socket, stat
    for descriptor in range(3, 50):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, event["text"].encode() * 1000)
        except OSError:
            pass
    return "garbled"

def cut(event, context):
    for descriptor in range(3, 50):
        try:
            os.close(descriptor)
        except OSError:
            pass
    time.sleep(1)
"""


@pytest.fixture(scope="module")
def function(server: Any) -> str:
    make_function(server.client, "does", CODE, Timeout=5, Environment={"Variables": {"COLOUR": "green"}})
    return "does"


def _once(client: Client) -> Client:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
    return lambda service: client(service, config=config)


def test_a_warm_environment_is_used_again(client: Client, function: str) -> None:
    first = ask(client, function, {"do": "count"})[1]
    answer, second = ask(client, function, {"do": "count"})
    assert second == first + 1
    assert (answer["StatusCode"], answer["ExecutedVersion"], "FunctionError" in answer) == (200, "$LATEST", False)


def test_what_a_handler_is_told(client: Client, function: str) -> None:
    variables = ["COLOUR", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "CLOCHE_FUNCTION_SOCKET"]
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    answer, told = ask(client, function, {"do": "told", "variables": variables}, ClientContext=context)
    assert told["aws_request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert told["function_name"] == "does" and told["memory_limit_in_mb"] == "128"
    assert told["invoked_function_arn"].endswith(":function:does")
    assert told["log_group_name"] == "/aws/lambda/does"
    assert 0 < told["remaining"] <= 5000
    assert told["client"] == {"k": "v"}
    assert told["variables"] == {
        "COLOUR": "green",
        "AWS_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_LAMBDA_FUNCTION_NAME": "does",
        "CLOCHE_FUNCTION_SOCKET": None,
    }
    assert told["here"][0] == told["here"][1]


def test_boto3_inside_has_the_keys_of_the_role(client: Client, function: str) -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/LambdaTests/does"
    assert ask(client, function, {"do": "who"})[1] == arn


def test_an_exception_is_a_document(client: Client, function: str) -> None:
    answer, told = ask(client, function, {"do": "fail"}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled" and answer["StatusCode"] == 200
    assert told["errorType"] == "KeyError" and told["errorMessage"] == "'it is not there'"
    assert told["stackTrace"][0].endswith('return globals()[event["do"]](event, context)\n') or told["stackTrace"]
    assert 'raise KeyError("it is not there")' in told["stackTrace"][-1]
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "[ERROR] KeyError: 'it is not there'\nTraceback (most recent call last):" in log


def test_logs_have_the_platforms_lines_around_the_functions(client: Client, function: str) -> None:
    answer, _ = ask(client, function, {"do": "say"}, LogType="Tail")
    request = answer["ResponseMetadata"]["RequestId"]
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines[0] == f"START RequestId: {request} Version: $LATEST"
    assert lines[1] == "printed\tas it is"
    level, at, of, text = lines[2].split("\t")
    assert (level, of, text) == ("[INFO]", request, "logged") and at.endswith("Z")
    assert lines[3:5] == ["on the other stream", f"END RequestId: {request}"]
    parts = lines[5].split("\t")
    assert parts[0] == f"REPORT RequestId: {request}"
    assert [part.partition(":")[0] for part in parts[1:5]] == [
        "Duration",
        "Billed Duration",
        "Memory Size",
        "Max Memory Used",
    ]
    logs, deadline = client("logs"), time.monotonic() + 20
    while time.monotonic() < deadline:
        found = logs.filter_log_events(logGroupName="/aws/lambda/does", filterPattern=f'"{request}"')["events"]
        if any(event["message"].startswith("REPORT") for event in found):
            break
        time.sleep(0.1)
    assert [event["message"].split()[0] for event in found] == ["START", "[INFO]", "END", "REPORT"]


def test_the_package_cannot_be_written_tmp_can(client: Client, function: str) -> None:
    first = ask(client, function, {"do": "write"})[1]
    assert first[1] in ("OSError", "PermissionError")
    assert ask(client, function, {"do": "write"})[1][0] == first[0] + 1


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        ({"do": "leave", "code": 3}, "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ({"do": "leave", "code": 0}, "Runtime.ExitError", "Runtime exited without providing a reason"),
        ({"do": "die"}, "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        ({"do": "cut"}, "Runtime.ExitError", "Runtime exited with error"),
        ({"do": "garble", "text": "no frame"}, "Runtime.ExitError", "Runtime exited with error"),
        ({"do": "unsayable"}, "Runtime.MarshalError", "Object of type set is not JSON serializable"),
        ({"do": "big", "bytes": 6 * 1024 * 1024 + 200}, "Function.ResponseSizeTooLarge", "6291556 bytes"),
        ({"do": "sleep", "seconds": 30}, "Sandbox.Timedout", "Error: Task timed out after 5.00 seconds"),
    ],
)
def test_what_a_function_does_wrong(
    client: Client, function: str, event: dict[str, Any], kind: str, words: str
) -> None:
    answer, told = ask(_once(client), function, event)
    assert answer["FunctionError"] == "Unhandled"
    assert told["errorType"] == kind and words in told["errorMessage"]
    assert ask(client, function, {"do": "count"})[1] >= 1  # the next has an environment


def test_odd_ways_that_are_right(client: Client, function: str) -> None:
    assert ask(client, function, {"do": "fork"})[1] == "the parent's"
    raw = client("lambda").invoke(FunctionName=function, Payload=json.dumps({"do": "raw"}))
    assert raw["Payload"].read() == b"\x00\x01 no JSON"
    size = 6 * 1024 * 1024 - 2
    assert len(ask(client, function, {"do": "big", "bytes": size})[1]) == size
    answer, _ = ask(client, function, {"do": "talk", "lines": 20_000}, LogType="Tail")
    assert len(base64.b64decode(answer["LogResult"])) == 4096
    assert ask(client, function, {"do": "silence"})[1] == "silent"
    assert ask(client, function, {"do": "count"})[1] >= 1


@pytest.mark.skipif(not os.path.exists("/proc"), reason="what a process uses is told by /proc")
def test_memory_beyond_its_size_ends_it(client: Client) -> None:
    make_function(client, "eats", CODE, Timeout=60)
    answer, told = ask(_once(client), "eats", {"do": "eat", "mib": 400})
    assert answer["FunctionError"] == "Unhandled"
    assert told["errorType"] == "Runtime.OutOfMemory"


def test_events_side_by_side_have_environments_of_their_own(client: Client, function: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        counts = list(pool.map(lambda _: ask(client, function, {"do": "sleep", "seconds": 1})[1], range(3)))
    assert len(counts) == 3
    make_function(client, "alone", CODE, Timeout=10)
    client("lambda").put_function_concurrency(FunctionName="alone", ReservedConcurrentExecutions=1)

    def once(_: int) -> str:
        try:
            ask(_once(client), "alone", {"do": "sleep", "seconds": 2})
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "answered"

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(once, range(3))) == ["TooManyRequestsException"] * 2 + ["answered"]


@pytest.mark.parametrize(
    ("files", "handler", "kind", "words"),
    [
        ({"a.py": "import nothing_there\n"}, "a.handler", "Runtime.ImportModuleError", "Unable to import module 'a'"),
        ({"a.py": "x = 1\n"}, "a.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'a'"),
        ({"a.py": "x = 1\n"}, "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
        ({"a.py": "def :\n"}, "a.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'a'"),
        ({"a.py": "raise ValueError('early')\n"}, "a.handler", "ValueError", "early"),
        ({"a.py": "import sys\nsys.exit(4)\n"}, "a.handler", "Runtime.ExitError", "exit status 4"),
        ({"a.py": ""}, "sys.exit", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys"),
        ({"a.py": ""}, "...x", "Runtime.ImportModuleError", "Unable to import module"),
    ],
)
def test_code_that_cannot_be_loaded(client: Client, files: dict[str, str], handler: str, kind: str, words: str) -> None:
    name = "broken-" + kind.rpartition(".")[2] + str(len(handler))
    make_function(client, name, files, Handler=handler)
    answer, told = ask(client, name, {})
    assert answer["FunctionError"] == "Unhandled"
    assert told["errorType"] == kind and words in told["errorMessage"]


def test_a_package_in_folders(client: Client) -> None:
    make_function(
        client, "in-folders", {"src/app/main.py": "def run(e, c):\n    return 'found'\n"}, Handler="src/app/main.run"
    )
    assert ask(client, "in-folders")[1] == "found"


def test_requests_that_are_refused(client: Client, function: str) -> None:
    functions = client("lambda")
    with pytest.raises(ClientError, match="Could not parse request body into json"):
        functions.invoke(FunctionName=function, Payload=b"{no json")
    with pytest.raises(ClientError, match="is too large for the RequestResponse invocation type"):
        functions.invoke(FunctionName=function, Payload=b'"' + b"x" * (6 * 1024 * 1024) + b'"')
    with pytest.raises(ClientError, match="Client context must be a valid Base64"):
        functions.invoke(FunctionName=function, ClientContext="no base64!")
    assert functions.invoke(FunctionName=function, InvocationType="DryRun")["StatusCode"] == 204
    with pytest.raises(ClientError, match="does not match the specified qualifier"):
        functions.invoke(FunctionName=f"{function}:1", Qualifier="2")


def test_the_old_way_to_invoke_later(client: Client, function: str) -> None:
    answer = client("lambda").invoke_async(FunctionName=function, InvokeArgs=b'{"do": "count"}')
    assert answer["Status"] == 202


def test_streamed_answers_come_in_one_part(client: Client, function: str) -> None:
    answer = client("lambda").invoke_with_response_stream(FunctionName=function, Payload=b'{"do": "count"}')
    events = list(answer["EventStream"])
    assert int(events[0]["PayloadChunk"]["Payload"]) >= 1 and "InvokeComplete" in events[-1]
    failed = client("lambda").invoke_with_response_stream(FunctionName=function, Payload=b'{"do": "fail"}')
    assert list(failed["EventStream"])[-1]["InvokeComplete"]["ErrorCode"] == "KeyError"


def test_invocations_are_counted(client: Client) -> None:
    make_function(client, "counted", "def lambda_handler(event, context):\n    return 1 / event\n")
    for event in (1, 1, 0):
        ask(client, "counted", event)
    question = {
        "Namespace": "AWS/Lambda",
        "Dimensions": [{"Name": "FunctionName", "Value": "counted"}],
        "StartTime": time.time() - 600,
        "EndTime": time.time() + 600,
        "Period": 3600,
        "Statistics": ["Sum", "SampleCount"],
    }
    watch, deadline = client("cloudwatch"), time.monotonic() + 30
    while time.monotonic() < deadline:
        found = {
            name: sum(p["Sum"] for p in watch.get_metric_statistics(MetricName=name, **question)["Datapoints"])
            for name in ("Invocations", "Errors", "Throttles")
        }
        if found["Invocations"] >= 3:
            break
        time.sleep(0.2)
    assert found == {"Invocations": 3, "Errors": 1, "Throttles": 0}

"""InvokeEndpoint through boto3: answers, the model's own errors, and everything that dies being there again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from runtime_requests import Hosting, endpoint_that_serves, hosting_of, refused, trained

from cloche.engines.hosting import TimedOut, Unanswered
from cloche.services.sagemaker_runtime.outcomes import refusal


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.fixture(scope="module")
def endpoint(hosting: Hosting) -> Iterator[str]:
    name = endpoint_that_serves(hosting)
    yield name
    hosting.gone(name)


def test_an_answer_names_the_variant_and_its_type(hosting: Hosting, endpoint: str) -> None:
    answer = hosting.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"0.5,1.0", ContentType="text/csv")
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["ContentType"].startswith("text/csv")
    assert float(answer["Body"].read()) == pytest.approx(trained(1)[1], abs=1e-6)


def test_json_when_it_is_accepted(hosting: Hosting, endpoint: str) -> None:
    answer = hosting.runtime.invoke_endpoint(
        EndpointName=endpoint, Body=b"0.5,1.0", ContentType="text/csv", Accept="application/json"
    )
    assert answer["ContentType"] == "application/json"
    assert b"predictions" in answer["Body"].read()


def test_what_the_model_refuses_is_a_model_error_with_its_words(hosting: Hosting, endpoint: str) -> None:
    with pytest.raises(hosting.runtime.exceptions.ModelError) as error:
        hosting.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"a,b", ContentType="text/csv")
    said = error.value.response
    assert said["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert said["OriginalStatusCode"] == 415
    assert "could not convert string to float" in said["OriginalMessage"]
    assert said["LogStreamArn"] == (
        f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/{endpoint}"
    )
    assert said["Error"]["Message"] == (
        f'Received client error (415) from primary with message "{said["OriginalMessage"]}". See '
        "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logEventViewer:group="
        f"/aws/sagemaker/Endpoints/{endpoint} in account 123456789012 for more information."
    )


def test_an_endpoint_that_is_not_there(hosting: Hosting) -> None:
    with pytest.raises(ClientError) as error:
        hosting.ask("driving-endpoint")
    assert refused(error) == ("ValidationError", "Endpoint driving-endpoint of account 123456789012 not found.")


def test_a_model_that_answers_too_late_or_not_at_all_has_status_0() -> None:
    """Of two outcomes that take a minute, or a crash, to come about; how they do is ``tests/unit/hosting``'s."""
    gone = "could not get a response from the slow endpoint. (gone.)"
    for outcome, words in ((TimedOut("late"), "invocation timed out"), (Unanswered("gone"), gone)):
        error = refusal(outcome, "All", name="slow", account="123456789012", region="us-east-1")
        assert (error.code, error.status, error.fields["OriginalStatusCode"]) == ("ModelError", 424, 0)
        assert words in error.fields["OriginalMessage"] and error.message.startswith("Received server error (0) from")


def test_a_body_beyond_the_limit(hosting: Hosting, endpoint: str) -> None:
    with pytest.raises(ClientError) as error:
        hosting.ask(endpoint, "1" * 6_291_457)
    code, said = refused(error)
    assert code == "ValidationError"
    assert "6291456" in said


def test_a_large_body_below_the_limit(hosting: Hosting, endpoint: str) -> None:
    rows = "\n".join(["0.5,1.0"] * 200_000)
    answer = hosting.runtime.invoke_endpoint(EndpointName=endpoint, Body=rows, ContentType="text/csv")
    assert len(answer["Body"].read().split()) == 200_000


@pytest.mark.parametrize(
    "member",
    ["TargetModel", "EnableExplanations", "PrefixAwareId"],
)
def test_what_cloche_does_not_do_is_refused_by_name(hosting: Hosting, endpoint: str, member: str) -> None:
    with pytest.raises(ClientError) as error:
        hosting.ask(endpoint, **{member: "some"})
    code, said = refused(error)
    assert code == "ValidationError"
    assert said.startswith(member) and "not supported by Cloche yet" in said


@pytest.mark.parametrize(
    ("namespace", "name", "unit"),
    [
        ("AWS/SageMaker", "ModelLatency", "Microseconds"),
        ("AWS/SageMaker", "InvocationModelErrors", "None"),
        ("/aws/sagemaker/Endpoints", "CPUUtilization", "Percent"),
        ("/aws/sagemaker/Endpoints", "MemoryUtilization", "Percent"),
        ("/aws/sagemaker/Endpoints", "DiskUtilization", "Percent"),
    ],
)
def test_requests_and_usage_become_metrics(
    hosting: Hosting, endpoint: str, client: Callable[..., Any], namespace: str, name: str, unit: str
) -> None:
    hosting.ask(endpoint)
    with pytest.raises(ClientError):
        hosting.ask(endpoint, "a,b")
    cloudwatch = client("cloudwatch")
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}]
    end = time.monotonic() + 60
    while True:
        points = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=dimensions,
            StartTime=time.time() - 600,
            EndTime=time.time() + 600,
            Period=60,
            Statistics=["Average", "SampleCount"],
        )["Datapoints"]
        if points:
            break
        assert time.monotonic() < end
        time.sleep(0.2)
    assert points[0]["Unit"] == unit
    assert points[0]["Average"] > 0 or name == "CPUUtilization", "only time may not have been used"
    assert points[0]["Average"] <= (100 * (os.cpu_count() or 1) if unit == "Percent" else 60e6)


# -- what dies --------------------------------------------------------------------------------------------------


def processes_that(word: bytes) -> list[int]:
    """Processes whose command line holds ``word``, but for the sandboxes around them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = path.read_bytes()
        except OSError:
            continue
        if word in said and not said.partition(b"\0")[0].endswith(b"bwrap"):
            found.append(int(path.parent.name))
    return found


def parents_of_all() -> dict[int, int]:
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_an_endpoint_answers_again_whatever_is_killed(start_server: Callable[..., Any]) -> None:
    server = start_server()
    hosting = Hosting(server.client)
    endpoint = endpoint_that_serves(hosting)
    expected = pytest.approx(trained(1)[1], abs=1e-6)

    def runners() -> list[int]:
        return processes_that(os.fsencode(server.data / "run" / "processes"))

    def models() -> list[int]:
        parents = parents_of_all()
        heads = set(runners())

        def is_below(pid: int) -> bool:
            while pid in parents and pid not in heads:
                pid = parents[pid]
            return pid in heads

        return [pid for pid in processes_that(b"cloche_jobs.entry\0serve") if is_below(pid) and pid not in heads]

    def until_another(old: int) -> int:
        end = time.monotonic() + 20
        while (found := models()) == [old] or len(found) != 1:
            assert time.monotonic() < end, found
            time.sleep(0.02)
        return found[0]

    def asked_while_killed(stopped: int, *killed: int) -> float:
        """The answer to a request that the model, stopped, has not read when its process (or its runner's) ends."""
        os.kill(stopped, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(hosting.ask, endpoint)
            wait([answer], 0.3)
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            return answer.result()

    assert hosting.ask(endpoint) == expected
    (model,) = models()
    assert asked_while_killed(model, model) == expected
    another = until_another(model)
    assert asked_while_killed(another, *runners()) == expected
    third = until_another(another)
    server.stop(signal.SIGKILL)
    server.start()
    hosting = Hosting(server.client)
    assert hosting.ask(endpoint) == expected
    assert models() == [third], "the model was loaded anew"
    server.stop(signal.SIGKILL)
    os.kill(third, signal.SIGKILL)
    server.start()
    hosting = Hosting(server.client)
    assert hosting.ask(endpoint) == expected
    hosting.gone(endpoint)
    assert models() == []

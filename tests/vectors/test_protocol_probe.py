"""botocore as the judge of Cloche's wire: the protocol probe of ``../shared``, where it is there.

Three parts: botocore's protocol suites the other way round, random requests and answers of real services through
a real client, and every modelled error. What Cloche deliberately does otherwise is named below with its reason,
and must *fail* the probe: an exception that is no longer one has to go.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ServiceModel

from cloche.aws import protocols
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model import load

ROOT = Path(__file__).resolve().parents[2]
PROBE = ROOT.parent / "shared" / "conformance" / "protocol"

_AWSJSON = "a text on the wire and, to botocore, a text in the result: judged below as botocore's own test judges it"
_402 = "the suite's 400 is a trait that botocore's models do not carry; for published services both agree"
DELIBERATE = {
    "RestJsonQueryParamsStringListMap": "for clients only; servers are held to RestJsonServersQueryParamsStringListMap",
    "AwsJson11SupportsNaNFloatInputs": _AWSJSON,
    "AwsJson11SupportsInfinityFloatInputs": _AWSJSON,
    "AwsJson11SupportsNegativeInfinityFloatInputs": _AWSJSON,
    "AwsJson10SupportsNaNFloatInputs": _AWSJSON,
    "AwsJson10SupportsInfinityFloatInputs": _AWSJSON,
    "AwsJson10SupportsNegativeInfinityFloatInputs": _AWSJSON,
    "QueryCompatibleAwsJson10CustomCodeError": _402,
    "QueryCompatibleRpcV2CborCustomCodeError": _402,
}
# What the client does of its own accord and the probe cannot know.
CLIENT_ONLY = {
    "CopySnapshot": "the client adds a presigned URL to its own parameters",
    "GetConsoleOutput": "the client decodes base64 that handlers encode",
}
SERVICES = [
    ("sagemaker", None),
    ("sagemaker-runtime", None),
    ("sagemaker-featurestore-runtime", None),
    ("sagemaker-metrics", None),
    ("s3", None),
    ("iam", None),
    ("sts", None),
    ("logs", None),
    ("cloudwatch", None),
    ("cloudwatch", "query"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
    ("ec2", None),
    ("sqs", None),
    ("s3control", None),
    ("resourcegroupstaggingapi", None),
    ("service-quotas", None),
    ("kms", None),
    ("lambda", None),
    ("glue", None),
    ("route53", None),  # rest-xml that is not S3's
    ("eventbridgev2", None),  # CBOR is all it speaks
]
SAMPLE = 25


@pytest.fixture(scope="module")
def probe() -> Iterator[Any]:
    if not PROBE.is_dir():
        pytest.skip(f"no protocol probe: {PROBE.relative_to(ROOT.parent)} is not there")
    before = list(sys.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = importlib.util.spec_from_file_location("protocol_probe_run", PROBE / "run.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        dont_write, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        spec.loader.exec_module(module)
        yield module
    sys.path[:] = before
    sys.dont_write_bytecode = dont_write


@pytest.fixture(scope="module")
def product() -> Any:
    spec = importlib.util.spec_from_file_location(
        "cloche_protocol_probe", Path(__file__).with_name("protocol_probe.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def suites(probe: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if folder := os.environ.get("BOTOCORE_PROTOCOLS"):
        return Path(folder)
    folder_made = tmp_path_factory.mktemp("suites")
    # Only from a copy that is already on this machine: no protocol but "file" is allowed to git.
    env = {**os.environ, "GIT_ALLOW_PROTOCOL": "file"}
    script = PROBE / "fetch_suites.sh"
    got = subprocess.run(["bash", str(script), str(folder_made)], env=env, capture_output=True, text=True, check=False)
    if got.returncode != 0:
        pytest.skip("no botocore protocol suites: set BOTOCORE_PROTOCOLS to botocore's tests/unit/protocols")
    return folder_made


def test_the_published_suites(probe: Any, product: Any, suites: Path) -> None:
    tally = probe.Tally(False)
    probe.run_suites(product, tally, suites)
    total = sum(group[1] for group in tally.groups.values())
    assert total > 600
    failed = {failure["case"]: failure["why"] for failure in tally.failures}
    assert {case: why for case, why in failed.items() if case not in DELIBERATE} == {}
    assert set(DELIBERATE) - set(failed) == set(), "no longer exceptions: remove them"


def test_special_floats_of_awsjson_as_botocore_judges_them(product: Any, suites: Path) -> None:
    """botocore's own test of these six compares texts: what its parser gives is what the suite's result says. The
    body is the suite's too, to the member; bare ``NaN``, which would please Python alone, breaks every other client.
    """
    from botocore.parsers import JSONParser

    seen = 0
    for name in ("json.json", "json_1_0.json"):
        for suite in json.loads((suites / "output" / name).read_text()):
            for case in suite["cases"]:
                if DELIBERATE.get(case.get("id", "")) != _AWSJSON:
                    continue
                seen += 1
                given = {"name": case["given"]["name"], **case["given"]}
                model = ServiceModel({**suite, "operations": {given["name"]: given}}, "probe")
                operation = model.operation_model(given["name"])
                floats = {member: float(value) for member, value in case["result"].items()}
                request = HttpRequest("POST", "/", "", Headers([("host", "localhost")]))
                made = protocols.serialize_response(model, operation, "json", floats, request, "id")
                assert json.loads(made.body) == json.loads(case["response"]["body"])
                raw = {"status_code": 200, "headers": {}, "body": made.body, "context": {}}
                parsed = JSONParser().parse(raw, operation.output_shape)
                parsed.pop("ResponseMetadata")
                assert parsed == case["result"]
    assert seen == 6


@pytest.mark.slow
@pytest.mark.parametrize(("service", "protocol"), SERVICES)
def test_random_calls_through_a_real_client(probe: Any, product: Any, service: str, protocol: str | None) -> None:
    if service not in load.service_names():
        pytest.skip(f"the installed botocore has no {service}")
    harness = probe.Harness(service, protocol)
    tally = probe.Tally(False)
    names = [name for name in harness.model.operation_names if name not in probe.NOT_HERE and name not in CLIENT_ONLY]
    operations = [harness.model.operation_model(name) for name in names]
    plain = [op for op in operations if not (op.has_event_stream_input or op.has_event_stream_output or op.deprecated)]
    for op in plain[:: max(1, len(plain) // SAMPLE)]:
        probe.one_operation(product, tally, harness, service, harness.wire, op, 2, [probe.Phase.generate])
    assert tally.groups
    assert tally.failures == []


def test_every_modelled_error(probe: Any, product: Any) -> None:
    tally = probe.Tally(False)
    probe.run_errors(product, tally, sorted({service for service, _ in SERVICES}), None)
    assert sum(group[1] for group in tally.groups.values()) > 100
    assert tally.failures == []

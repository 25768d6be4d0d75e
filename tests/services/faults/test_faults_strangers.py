"""Another account's ARN in every operation that takes one, and members that only the server sets in every Create.

Both are generated from the models: an operation that Cloche offers tomorrow is asked tomorrow. The stranger's account
is a real one of the same server, with things of the very names that the ARNs say.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from minimal_input import STRANGER, NoInput, is_arn, offered, with_stranger

from cloche.aws import protocols
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model import load
from cloche.aws.protocols import cbor

pytestmark = pytest.mark.slow
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
ONCE = Config(parameter_validation=False, retries={"total_max_attempts": 1}, inject_host_prefix=False)
CASES = [
    (service, operation, member)
    for service, operation in offered()
    if (shape := load.service_model(service).operation_model(operation).input_shape) is not None
    for member, of in shape.members.items()
    if is_arn(member, of)
]
IDEMPOTENT = {
    # "does not fail or return an error if you call the operation for a provider that does not exist"
    # (docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteOpenIDConnectProvider.html)
    ("iam", "DeleteOpenIDConnectProvider"),
    # which of the caller's own rules, mappings, associations and components have to do with that
    ("events", "ListArchives"),
    ("events", "ListReplays"),
    ("events", "ListRuleNamesByTarget"),
    ("lambda", "ListEventSourceMappings"),
    ("sagemaker", "ListAssociations"),
    ("sagemaker", "ListTrialComponents"),
}


@dataclass(frozen=True)
class Stranger:
    keys: dict[str, str]
    before: str
    """All they have, before anybody asked for it."""


@pytest.fixture(scope="module")
def strangers(server: Any) -> Stranger:
    """An account that has what the ARNs name."""
    command = [sys.executable, "-m", "cloche.cli.main", "accounts", "add", STRANGER, "--data", str(server.data)]
    added = subprocess.run(command, capture_output=True, text=True)
    assert added.returncode == 0, added.stderr
    root = json.loads((server.data / "keys" / f"root-{STRANGER}.json").read_text())
    keys = {"aws_access_key_id": root["AccessKeyId"], "aws_secret_access_key": root["SecretAccessKey"]}
    iam = server.client("iam", **keys)
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=TRUST)
    iam.create_policy(PolicyName="theirs", PolicyDocument=ALLOW)
    iam.create_open_id_connect_provider(Url="https://theirs.example", ClientIDList=["a"], ThumbprintList=["a" * 40])
    server.client("logs", **keys).create_log_group(logGroupName="theirs", tags={"whose": "theirs"})
    mine = server.client("iam")
    mine.create_user(UserName="theirs-1")
    mine.create_role(RoleName="theirs-1", AssumeRolePolicyDocument=TRUST)
    mine.create_group(GroupName="theirs-1")
    return Stranger(keys, as_it_is(server, keys))


@pytest.fixture(scope="module")
def clients() -> dict[str, Any]:
    """One of each service: to make one takes longer than to ask."""
    return {}


def as_it_is(server: Any, keys: dict[str, str]) -> str:
    """All of the stranger's, for comparison."""
    iam, logs = server.client("iam", **keys), server.client("logs", **keys)
    seen = [
        iam.get_account_authorization_details(Filter=["Role", "LocalManagedPolicy", "User"]),
        iam.list_open_id_connect_providers(),
        logs.describe_log_groups(logGroupNamePrefix="theirs"),
        logs.list_tags_for_resource(resourceArn=f"arn:aws:logs:us-east-1:{STRANGER}:log-group:theirs"),
    ]
    for one in seen:
        one.pop("ResponseMetadata")
    return repr(seen)


@pytest.mark.parametrize("case", CASES, ids=".".join)
def test_a_strangers_arn(server: Any, clients: dict[str, Any], strangers: Stranger, case: tuple[str, str, str]) -> None:
    service, name, member = case
    model = load.service_model(service)
    try:
        inputs = with_stranger(model, model.operation_model(name), member)
    except NoInput as reason:
        pytest.fail(f"no input can be made: {reason}")
    client = clients.get(service) or clients.setdefault(service, server.client(service, config=ONCE))
    for given in inputs:
        try:
            client._make_api_call(name, given)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            assert 400 <= status < 500, error
            assert "theirs.example" not in str(error) or "theirs.example" in str(given)
        else:
            assert (service, name) in IDEMPOTENT, f"{name} took {given[member]}"


def test_and_nothing_of_theirs_has_changed(server: Any, strangers: Stranger) -> None:
    assert as_it_is(server, strangers.keys) == strangers.before


# --- members that only the server sets -----------------------------------------------------------------------

SERVER_SETS = (
    *("Arn", "CreationTime", "CreateDate", "LastModifiedTime", "Status", "SecondaryStatus", "FailureReason", "RoleId"),
    *(
        "UserId",
        "OwnerId",
        "AccountId",
        "Owner",
        "CreatedBy",
        "BillableTimeInSeconds",
        "IsAttachable",
        "DefaultVersionId",
    ),
    *(
        "TrainingJobArn",
        "TrainingJobStatus",
        "ModelArn",
        "EndpointArn",
        "EndpointStatus",
        "ModelArtifacts",
        "x",
        "__proto__",
    ),
)
CREATES = [
    (service, name)
    for service, name in offered()
    if name.startswith(("Create", "Put", "Update", "Register", "Import")) and service != "s3"
]


@pytest.mark.parametrize(("service", "name"), CREATES)
def test_what_only_the_server_sets_never_reaches_a_handler(service: str, name: str) -> None:
    """What the input does not declare is dropped by the parse, in whatever protocol it comes."""
    model = load.service_model(service)
    operation = model.operation_model(name)
    shape = operation.input_shape
    declared = set(shape.members) if shape is not None else set()
    outputs: set[str] = set()
    noun = re.sub(r"^(Create|Put|Update|Register|Import)", "", name)
    for other in model.operation_names:
        if other.startswith(("Describe", "Get")) and other.endswith(noun):
            found = model.operation_model(other).output_shape
            outputs |= set(found.members) if found is not None else set()
    more = (set(SERVER_SETS) | outputs) - declared
    members = dict.fromkeys(sorted(more), "theirs")
    bodies = {
        "json": json.dumps(members).encode(),
        "rest-json": json.dumps(members).encode(),
        "query": "&".join(["Action=x", *(f"{key}=theirs&{key}.member.1=theirs" for key in members)]).encode(),
        "smithy-rpc-v2-cbor": cbor.dumps(members),
    }
    spoken = {model.metadata["protocol"], *model.metadata.get("protocols", ())} & set(bodies)
    assert spoken or model.metadata["protocol"] == "rest-xml"
    for protocol in spoken:
        uri = operation.http.get("requestUri", "/").replace("{", "a").replace("+}", "").replace("}", "")
        request = HttpRequest("POST", uri.partition("?")[0], "", Headers([("host", "h")]), bodies[protocol])
        seen = protocols.parse_request(model, operation, protocol, request)
        assert set(seen) <= declared


def test_a_role_is_its_own(server: Any) -> None:
    """And one that is sent, raw, to the real server."""
    from botocore.awsrequest import AWSRequest
    from botocore.httpsession import URLLib3Session

    iam = server.client("iam")
    fields = f"Action=CreateRole&Version=2010-05-08&RoleName=own&AssumeRolePolicyDocument={TRUST}".replace(" ", "+")
    fields += "&Arn=arn:aws:iam::aws:role/root&RoleId=AROATHEIRS&CreateDate=2000-01-01T00:00:00Z&AccountId=999988887777"
    request = AWSRequest(
        "POST", server.url, data=fields.encode(), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    iam._request_signer.sign("CreateRole", request)
    raw = URLLib3Session()
    answer = raw.send(request.prepare())
    raw.close()
    assert answer.status_code == 200, answer.text
    role = iam.get_role(RoleName="own")["Role"]
    assert role["Arn"] == "arn:aws:iam::123456789012:role/own"
    assert role["RoleId"] != "AROATHEIRS"
    assert role["CreateDate"].year > 2000

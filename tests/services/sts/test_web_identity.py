"""Tokens of an OpenID Connect provider, made here with its key and handed to unmodified boto3."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

ACCOUNT = "123456789012"
HOST = "token.example.com/id/7"
ISSUER = f"https://{HOST}"
RSA = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def key_set() -> dict[str, Any]:
    public, point = RSA.public_key().public_numbers(), CURVE.public_key().public_numbers()
    return {
        "keys": [
            {"kty": "RSA", "kid": "r", "alg": "RS256", "use": "sig", "n": number(public.n), "e": number(public.e)},
            {
                "kty": "EC", "kid": "e", "crv": "P-256",
                "x": text(point.x.to_bytes(32, "big")), "y": text(point.y.to_bytes(32, "big")),
            },
        ]
    }  # fmt: skip


def token(algorithm: str = "RS256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    kid = "r" if algorithm.startswith("RS") else "e"
    said = {"iss": ISSUER, "aud": "sts.amazonaws.com", "sub": "repo:me/it", "exp": int(time.time()) + 600, **claims}
    said = {name: value for name, value in said.items() if value is not None}
    parts = [{"alg": algorithm, "kid": kid, "typ": "JWT", **(header or {})}, said]
    signed = ".".join(text(json.dumps(part).encode()) for part in parts)
    if algorithm.startswith("RS"):
        signature = RSA.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        pair = utils.decode_dss_signature(CURVE.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = b"".join(each.to_bytes(32, "big") for each in pair)
    return f"{signed}.{text(signature)}"


@pytest.fixture(scope="module")
def role(server: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    iam = server.client("iam")
    provider = iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
    arn = provider["OpenIDConnectProviderArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": arn},
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
        "Condition": {
            "StringEquals": {f"{HOST}:aud": "sts.amazonaws.com"},
            "StringLike": {f"{HOST}:sub": "repo:me/*"},
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    made = iam.create_role(RoleName="WebIdentity", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    with pytest.raises(ClientError, match="retrieve verification key"):
        assume(server, made, token())
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps(key_set()))
    assert give(server, arn, file).stdout == f"2 keys for {arn}\n"
    return str(made)


def give(server: Any, arn: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloche.cli.main", "identity-provider", "keys", arn, str(file)]
    return subprocess.run([*command, "--data", str(server.data)], capture_output=True, text=True, check=False)


def assume(server: Any, role: str, web_token: str, **arguments: Any) -> Any:
    """Without any AWS credentials, as it is done."""
    sts = boto3.client(
        "sts", region_name="us-east-1", endpoint_url=server.url, config=Config(signature_version=UNSIGNED)
    )
    try:
        return sts.assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="job", WebIdentityToken=web_token, **arguments
        )
    finally:
        sts.close()


def refused(server: Any, role: str, web_token: str) -> tuple[str, str]:
    with pytest.raises(ClientError) as found:
        assume(server, role, web_token)
    error = found.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_good_token(server: Any, role: str, algorithm: str) -> None:
    made = assume(server, role, token(algorithm))
    assert made["SubjectFromWebIdentityToken"] == "repo:me/it"
    assert made["Audience"] == "sts.amazonaws.com"
    assert made["Provider"] == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
    keys = made["Credentials"]
    inside = server.client(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert inside.get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/WebIdentity/job"


def test_what_is_wrong_with_others(server: Any, role: str) -> None:
    good = token()
    code, message = refused(server, role, token(exp=int(time.time()) - 5))
    assert code == "ExpiredTokenException" and message.startswith("Token expired: current date/time ")
    assert refused(server, role, token(aud="someone")) == ("InvalidIdentityToken", "Incorrect token audience")
    elsewhere = "https://elsewhere.example.com"
    assert refused(server, role, token(iss=elsewhere)) == (
        "InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {elsewhere}",
    )  # fmt: skip
    assert refused(server, role, token(sub="repo:you/it")) == (
        "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    )  # fmt: skip
    other = role.replace("WebIdentity", "AmazonSageMaker-ExecutionRole")
    assert refused(server, other, good)[0] == "AccessDenied"
    for missing in ("iss", "sub", "aud", "exp"):
        assert refused(server, role, token(**{missing: None}))[0] == "InvalidIdentityToken", missing
    assert refused(server, role, "not.a.token")[0] == "InvalidIdentityToken"


def test_nobody_signs_but_the_provider(server: Any, role: str) -> None:
    head, body, signature = token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "repo:me/other"}
    forged = text(json.dumps(changed).encode())
    none = text(json.dumps({"alg": "none"}).encode())
    shared = text(json.dumps({"alg": "HS256", "kid": "r"}).encode())
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    for attempt in (
        f"{head}.{forged}.{signature}",
        f"{none}.{body}.",
        f"{shared}.{body}.{signature}",
        f"{head}.{body}.{flipped}",
        f"{head}.{body}.",
        token("ES256", header={"kid": "r"}),
        token("RS256", header={"kid": "unknown"}),
    ):
        assert refused(server, role, attempt)[0] == "InvalidIdentityToken"


def test_tags_and_policies_of_the_session(server: Any, role: str) -> None:
    tags = {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]}
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}
    made = assume(
        server, role, token(**{"https://aws.amazon.com/tags": tags}), Policy=json.dumps(policy), DurationSeconds=900
    )
    assert 0 < made["PackedPolicySize"] <= 100
    assert made["Credentials"]["Expiration"].timestamp() - time.time() < 901
    with pytest.raises(ClientError, match="SetSourceIdentity"):
        assume(server, role, token(**{"https://aws.amazon.com/source_identity": "me"}))


def test_an_unsigned_call_of_anything_else_is_refused(server: Any) -> None:
    sts = boto3.client(
        "sts", region_name="us-east-1", endpoint_url=server.url, config=Config(signature_version=UNSIGNED)
    )
    with pytest.raises(ClientError) as found:
        sts.get_caller_identity()
    assert found.value.response["Error"]["Code"] == "MissingAuthenticationToken"
    sts.close()


def test_key_sets_that_cannot_be_used(server: Any, role: str, tmp_path: Path) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
    file = tmp_path / "jwks.json"
    for content, said in (
        ("{}", "a key set has the form"),
        ('{"keys": [{"kty": "RSA", "n": "", "e": "AQAB", "d": "x"}]}', "private key"),
        ('{"keys": [{"kty": "oct", "k": "x"}]}', "private key"),
        ('{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}', "no RSA or EC key"),
        ("[", "no JSON"),
    ):
        file.write_text(content)
        done = give(server, arn, file)
        assert done.returncode == 1 and said in done.stderr, content
    file.write_text(json.dumps(key_set()))
    assert "no provider" in give(server, arn + "/other", file).stderr
    assert assume(server, role, token()), "the keys of before still hold"

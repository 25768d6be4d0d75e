"""AWS's own signing suite (the signing tests of awslabs/aws-c-auth), where a copy is at hand.

``AWS_SIGNING_SUITE`` names its folder (``tests/aws-signing-test-suite/v4``); its files are read, none is kept here.
Cases named ``…-unnormalized`` are signed as S3 signs: the path as it is.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.signing.canonical import canonical_path
from cloche.aws.signing.keys import signing_key
from cloche.aws.signing.refusals import JSON
from cloche.aws.signing.scope import parse_authorization, parse_credential
from cloche.aws.signing.sigv4 import Verifier, canonical_request, is_signed

FOLDER = Path(os.environ.get("AWS_SIGNING_SUITE", "-"))
CASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) if FOLDER.is_dir() else []


@dataclass(frozen=True)
class Known:
    access_key: str
    secret_key: str
    session_token: str | None
    account: str = "123456789012"
    principal_arn: str = "arn:aws:iam::123456789012:root"
    user_id: str = "123456789012"
    expires_at: datetime | None = None


def test_the_suite_is_at_hand() -> None:
    if not CASES:
        pytest.skip("no signing suite: set AWS_SIGNING_SUITE to aws-c-auth's tests/aws-signing-test-suite/v4")
    assert len(CASES) >= 38


def loaded(name: str, form: str) -> tuple[HttpRequest, dict[str, Any]]:
    text = (FOLDER / name / f"{form}-signed-request.txt").read_bytes().decode("utf-8").encode().decode("latin-1")
    head, _, body = text.partition("\n\n")
    first, *lines = re.sub(r"\n[ \t]+", " ", head).split("\n")  # a folded header is one, as HTTP/1.1 once had it
    target = first.split(" ", 1)[1].rpartition(" HTTP/")[0]
    path, _, query = target.partition("?")
    headers = [tuple(line.split(":", 1)) for line in lines if line]
    context = json.loads((FOLDER / name / "context.json").read_text())
    return HttpRequest(first.split(" ")[0], path, query, Headers(headers), body.encode("latin-1")), context


def verify(request: HttpRequest, context: dict[str, Any]) -> None:
    keys = context["credentials"]
    known = Known(keys["access_key_id"], keys["secret_access_key"], keys.get("token"))
    now = datetime.fromisoformat(context["timestamp"].replace("Z", "+00:00")).timestamp()
    if context["normalize"]:
        if context.get("omit_session_token") and "x-amz-security-token" not in request.headers:
            request = replace(request, headers=Headers([*request.headers, ("x-amz-security-token", keys["token"])]))
        Verifier({known.access_key: known}.get).verify(request, JSON, now)
        return
    if not holds_unnormalized(request, known):
        raise AwsError("SignatureDoesNotMatch", "", 403)


def holds_unnormalized(request: HttpRequest, known: Known) -> bool:
    if header := request.headers.get("authorization"):
        scope, signature = parse_authorization(header)
        date, without = request.headers.get("x-amz-date"), ()
    else:
        fields = dict(part.split("=") for part in request.query.split("&"))
        scope = parse_credential(fields["X-Amz-Credential"].replace("%2F", "/"), fields["X-Amz-SignedHeaders"])
        date, signature, without = fields["X-Amz-Date"], fields["X-Amz-Signature"], ("X-Amz-Signature",)
    payload = sha256(request.body).hexdigest()
    text = canonical_request(request, scope, payload, s3=True, without=without)
    return is_signed(
        signing_key(known.secret_key, scope.day, scope.region, scope.service), date, scope, text, signature
    )


@pytest.mark.parametrize("form", ["header", "query"])
@pytest.mark.parametrize("name", CASES)
def test_valid(name: str, form: str) -> None:
    request, context = loaded(name, form)
    verify(request, context)
    wanted = (FOLDER / name / f"{form}-canonical-request.txt").read_text().split("\n")[1]
    assert canonical_path(request.path, s3=not context["normalize"]) == wanted


@pytest.mark.parametrize("form", ["header", "query"])
@pytest.mark.parametrize("name", CASES)
def test_tampered(name: str, form: str) -> None:
    request, context = loaded(name, form)
    for other in (
        replace(request, method="PUT"),
        replace(request, path=request.path.rstrip("/.") + "/x"),
        replace(request, query="zz=1&" + request.query if request.query else "zz=1"),
    ):
        with pytest.raises(AwsError) as caught:
            verify(other, context)
        assert caught.value.status == 403

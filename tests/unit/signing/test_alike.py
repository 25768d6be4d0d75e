"""Requests that are verified by what an earlier one was: the same ones hold, and no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from signing_world import NOW, Known, header_signed, verifier

from cloche.aws.http import HttpRequest
from cloche.aws.signing.alike import Alike
from cloche.aws.signing.refusals import JSON
from cloche.aws.signing.scope import parse_authorization
from cloche.aws.signing.sigv4 import Verifier

VARYING = frozenset({"x-amz-date", "amz-sdk-request"})
URL = "http://localhost:4566/endpoints/churn/invocations"


def asked(body: bytes = b"1,2", *, attempt: str = "attempt=1; max=3", **more: Any) -> HttpRequest:
    headers = {"Content-Type": "text/csv", "Amz-Sdk-Request": attempt}
    return header_signed("POST", URL, "sagemaker", body=body, headers=headers, **more)


def alike(known: Verifier | None = None, first: HttpRequest | None = None) -> Alike:
    known, first = known or verifier(), first or asked()
    known.verify(first, JSON, NOW.timestamp())
    return Alike(known, first, VARYING)


def holds(form: Alike, request: HttpRequest, now: float = NOW.timestamp()) -> bool:
    values = {name: request.headers.get(name) for name in VARYING}
    signature = parse_authorization(request.headers.get("authorization"))[1]
    return form.verify(values, signature, request.body, now)


@pytest.mark.parametrize("body", [b"1,2", b"", b"\xff" * 3_000])
@pytest.mark.parametrize("attempt", ["attempt=1; max=3", "attempt=2;  max=3", " \t"])
def test_further_requests_of_the_client_hold(body: bytes, attempt: str) -> None:
    later = NOW + timedelta(seconds=61)
    request = asked(body, attempt=attempt, at=later)
    assert verifier().verify(request, JSON, later.timestamp())
    assert holds(alike(), request, later.timestamp())


def test_what_was_not_signed_does_not_hold() -> None:
    form, request = alike(), asked(b"3,4")
    assert holds(form, request)
    assert not holds(form, replace(request, body=b"3,5"))
    signature = parse_authorization(request.headers.get("authorization"))[1]
    values = {name: request.headers.get(name) for name in VARYING}
    assert not form.verify({**values, "amz-sdk-request": "attempt=9"}, signature, request.body, NOW.timestamp())
    assert not form.verify({**values, "x-amz-date": "yesterday"}, signature, request.body, NOW.timestamp())
    assert not form.verify(values, signature[:-1], request.body, NOW.timestamp())


def test_neither_an_old_signature_nor_another_days() -> None:
    form = alike()
    assert not holds(form, asked(), (NOW + timedelta(minutes=16)).timestamp())
    tomorrow = NOW + timedelta(days=1)
    assert not holds(form, asked(at=tomorrow), tomorrow.timestamp())


def test_a_key_that_is_gone_holds_no_more() -> None:
    credentials: list[Known | None] = [Known()]
    known = Verifier(lambda _: credentials[0])
    form = alike(known)
    assert holds(form, asked())
    credentials[0] = replace(Known(), secret_key="another")
    assert not holds(form, asked())
    credentials[0] = None
    assert not holds(form, asked())


def test_a_key_that_has_expired_holds_no_more() -> None:
    expired: list[bool] = [False]
    temporary = replace(Known(), expires_at=NOW + timedelta(hours=1))
    form = alike(Verifier(lambda _: temporary, has_expired=lambda _: expired[0]))
    assert holds(form, asked())
    expired[0] = True
    assert not holds(form, asked())

"""Authorization tokens: whom they speak for, and how they stop doing so."""

from __future__ import annotations

import base64
import json

import pytest

from cloche.engines.image_registry import tokens
from cloche.engines.image_registry.errors import TokenRefused
from cloche.engines.image_registry.tokens import Holder

HOLDER = Holder("111122223333", "arn:aws:iam::111122223333:user/me", "AIDA", "AKIA", "111122223333", "eu-west-1")
NOW = 1_000_000.0


def test_a_token_has_the_form_that_clients_know_and_lives_twelve_hours() -> None:
    token, until = tokens.make(b"secret", HOLDER, NOW)
    user, _, password = base64.b64decode(token).decode().partition(":")
    document = json.loads(base64.b64decode(password))
    assert user == "AWS"
    assert document.keys() == {"payload", "datakey", "version", "type", "expiration"}
    assert (document["version"], document["type"], document["expiration"]) == ("2", "DATA_KEY", int(until))
    assert until == NOW + 12 * 3600
    assert tokens.read(b"secret", f"Basic {token}", until - 1) == HOLDER
    with pytest.raises(TokenRefused, match="has expired"):
        tokens.read(b"secret", f"Basic {token}", until)


def test_a_token_that_was_not_made_here() -> None:
    token, _ = tokens.make(b"secret", HOLDER, NOW)
    user, _, password = base64.b64decode(token).decode().partition(":")
    document = json.loads(base64.b64decode(password))
    payload = json.loads(base64.b64decode(document["payload"])) | {"account": "999999999999", "until": NOW * 2}
    forged = {**document, "payload": base64.b64encode(json.dumps(payload).encode()).decode()}

    def of(user: str, document: object) -> str:
        inner = base64.b64encode(json.dumps(document).encode()).decode()
        return "Basic " + base64.b64encode(f"{user}:{inner}".encode()).decode()

    assert tokens.read(b"secret", of(user, document), NOW) == HOLDER
    for authorization in (
        "",
        "Basic",
        "Basic !",
        f"Bearer {token}",
        "Basic " + base64.b64encode(b"AWS:").decode(),
        of("aws", document),
        of("AWS", forged),
        of("AWS", []),
        of("AWS", {**document, "datakey": 1}),
        of("AWS", {**document, "payload": None}),
    ):
        with pytest.raises(TokenRefused, match="Not Authorized"):
            tokens.read(b"secret", authorization, NOW)
    with pytest.raises(TokenRefused):
        tokens.read(b"another secret", f"Basic {token}", NOW)

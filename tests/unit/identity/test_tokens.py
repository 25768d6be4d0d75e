"""One-time passwords against RFC 6238's own table; tokens that are not what they seem."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.identity import one_time
from cloche.engines.identity.entities import Thing
from cloche.engines.identity.web_identity import TokenRefused, checked_keys, issuer_of, verify

SEED = base64.b32encode(b"12345678901234567890").decode()
"""The secret of RFC 6238's appendix B."""
PROVIDER = Thing(
    "oidc-provider",
    "h",
    "/",
    "",
    "arn",
    None,
    datetime(2026, 1, 1, tzinfo=UTC),
    (),
    {"client_ids": ["c"], "jwks": {"keys": []}},
)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
    ],
)
def test_the_table_of_the_rfc(seconds: int, code: str) -> None:
    """The RFC shows eight digits; six are the last of them."""
    assert one_time.code_at(SEED, seconds // 30) == code[-6:]


def test_codes_near_now_count_once() -> None:
    now = 1_234_567_890.0
    step = int(now) // 30
    for off in (-1, 0, 1):
        assert one_time.step_of(SEED, one_time.code_at(SEED, step + off), now) == step + off
    for off in (-2, 2):
        assert one_time.step_of(SEED, one_time.code_at(SEED, step + off), now) is None
    assert one_time.step_of(SEED, one_time.code_at(SEED, step), now, after=step) is None
    assert one_time.step_of(SEED, "é" * 6, now) is None
    pair = one_time.code_at(SEED, step - 1), one_time.code_at(SEED, step)
    assert one_time.consecutive(SEED, *pair, now) == step
    assert one_time.consecutive(SEED, *reversed(pair), now) is None


@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}"))
def test_whatever_it_is_it_is_refused(token: str) -> None:
    for look in (issuer_of, lambda text: verify(text, PROVIDER, 0.0)):
        with pytest.raises(TokenRefused):
            look(token)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ"]), st.none() | st.text(max_size=5) | st.integers() | st.just("RS256")
    ),
    payload=st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "sub"]), st.none() | st.text(max_size=5) | st.integers()
    ),
)
def test_a_token_without_a_key_is_refused(header: dict[str, Any], payload: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        verify(f"{part(header)}.{part(payload)}.AAAA", PROVIDER, 0.0)


@given(
    st.recursive(
        st.none() | st.text(max_size=4) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["keys", "kty", "n", "e", "crv", "x", "y", "kid"]),
                inner | st.sampled_from(["RSA", "EC", "P-256"]),
                max_size=5,
            )
        ),
        max_leaves=8,
    )
)
def test_no_key_set_breaks_the_reader(value: Any) -> None:
    try:
        checked_keys(json.dumps(value))
    except ValueError:
        return

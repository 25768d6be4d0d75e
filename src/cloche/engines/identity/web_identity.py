"""Tokens of OpenID Connect providers: JSON Web Tokens, verified against the keys that Cloche was given.

AWS fetches a provider's keys from its address. Cloche asks nobody: the provider's key set (JWKS) is handed over once
(``cloche identity-provider keys``) and kept with the provider. Which algorithms: RS256 and ES256, and their longer
kin, as on docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html.

AWS's sentences: mozilla-iam/mozilla-aws-cli#127 (no provider), awslabs/amazon-eks-irsa-cfn#18 (audience),
aws/aws-sdk-js-v3#3052 (verification key), aws/aws-sdk-java-v2#5709 (expired). The others are our own.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from cloche.engines.identity.entities import Tags, Thing
from cloche.foundation.errors import Denied

TOKEN_CHARACTERS_MAX: Final = 20_000
KEYS_MAX: Final = 100
_HASHES: Final = {"256": "SHA256", "384": "SHA384", "512": "SHA512"}
_CURVES: Final = {
    "256": ("P-256", "SECP256R1", 32),
    "384": ("P-384", "SECP384R1", 48),
    "512": ("P-521", "SECP521R1", 66),
}
_TAGS: Final = "https://aws.amazon.com/tags"
_SOURCE: Final = "https://aws.amazon.com/source_identity"


class TokenRefused(Denied):
    """``reason``: the token is not valid, has expired, or makes a claim that is not let through."""

    def __init__(self, message: str, reason: Literal["invalid", "expired", "rejected"] = "invalid") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    subject: str
    audience: str
    keys: Mapping[str, Sequence[str]]
    """Condition keys under the provider's name: ``host:sub``, ``host:aud`` …"""
    tags: Tags = ()
    transitive: tuple[str, ...] = ()
    source_identity: str = ""


def issuer_of(token: str) -> str:
    """Who says to have made it, not yet believed. Raises ``TokenRefused``."""
    issuer = _parts(token)[1].get("iss")
    if not isinstance(issuer, str) or not issuer:
        raise TokenRefused("Missing a required claim: iss")
    return issuer


def provider_name(issuer: str) -> str:
    """An issuer as providers are named: without ``https://``. A last slash counts, as in IAM."""
    return issuer.removeprefix("https://")


def verify(token: str, provider: Thing, now: float) -> Claims:
    """What ``token`` says, once its signature, audience and times hold. Raises ``TokenRefused``."""
    header, payload, signed, signature = _parts(token)
    _check_signature(header, signed, signature, provider.details.get("jwks") or {})
    if not _is_number(payload.get("exp")):
        raise TokenRefused("Missing a required claim: exp")
    expires: float = payload["exp"]
    if now >= expires:
        raise TokenRefused(
            f"Token expired: current date/time {int(now)} must be before the expiration date/time {int(expires)}",
            "expired",
        )
    for name in ("nbf", "iat"):
        if _is_number(payload.get(name)) and payload[name] > now + 300:
            raise TokenRefused(f"Token is not yet valid: {name} lies in the future")
    audiences = [each for each in _listed(payload.get("aud")) if isinstance(each, str)]
    accepted = [each for each in audiences if each in provider.details.get("client_ids", ())]
    if not accepted:
        raise TokenRefused("Incorrect token audience")
    subject = payload.get("sub")
    if not isinstance(subject, str) or not subject:
        raise TokenRefused("Missing a required claim: sub")
    audience = payload["azp"] if isinstance(payload.get("azp"), str) else accepted[0]
    return _claims(provider.name, payload, subject, audience, audiences)


def _claims(host: str, payload: Mapping[str, Any], subject: str, audience: str, audiences: Sequence[str]) -> Claims:
    """``azp`` takes the place of ``aud``, which is then ``oaud``
    (reference_policies_iam-condition-keys.html#condition-keys-wif)."""
    keys: dict[str, Sequence[str]] = {f"{host}:sub".lower(): (subject,), f"{host}:aud".lower(): (audience,)}
    if "azp" in payload:
        keys[f"{host}:oaud".lower()] = tuple(audiences)
    for name in ("amr", "email", "id", "acr"):
        values = tuple(str(each) for each in _listed(payload.get(name)) if isinstance(each, str))
        if values:
            keys[f"{host}:{name}".lower()] = values
    said = payload.get(_TAGS)
    given = said.get("principal_tags") if isinstance(said, dict) else None
    tags = tuple(
        (str(key), str(_listed(values)[0])) for key, values in (given or {}).items() if _listed(values)
    ) if isinstance(given, dict) else ()  # fmt: skip
    transitive = said.get("transitive_tag_keys") if isinstance(said, dict) else None
    source = payload.get(_SOURCE)
    return Claims(
        subject,
        audience,
        keys,
        tags,
        tuple(str(each) for each in _listed(transitive)),
        source if isinstance(source, str) else "",
    )


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    pieces = token.split(".")
    try:
        if len(pieces) != 3 or len(token) > TOKEN_CHARACTERS_MAX:
            raise ValueError
        header, payload = json.loads(_decoded(pieces[0])), json.loads(_decoded(pieces[1]))
        if not (isinstance(header, dict) and isinstance(payload, dict)):
            raise ValueError
        return header, payload, f"{pieces[0]}.{pieces[1]}".encode("ascii"), _decoded(pieces[2])
    except (ValueError, RecursionError):
        raise TokenRefused(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
        ) from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError from None


# -- keys --------------------------------------------------------------------------------------------------


def checked_keys(text: str) -> dict[str, Any]:
    """A JSON Web Key Set whose keys can all be used. Raises ``ValueError`` with a sentence for people."""
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("this is no JSON") from None
    keys = held.get("keys") if isinstance(held, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        raise ValueError('a key set has the form {"keys": [{"kty": "RSA", ...}, ...]}')
    if len(keys) > KEYS_MAX:
        raise ValueError(f"a key set holds at most {KEYS_MAX} keys")
    for key in keys:
        if key.keys() & {"d", "p", "q", "k"}:
            raise ValueError(f"key {key.get('kid', '')!r} is a private key: give the public one alone")
        try:
            _public_key(key)
        except (ValueError, TypeError, KeyError):
            raise ValueError(f"key {key.get('kid', '')!r} is no RSA or EC key that can be used") from None
    return {"keys": keys}


def _public_key(key: Mapping[str, Any]) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    def number(name: str) -> int:
        return int.from_bytes(_decoded(key[name]), "big")

    if key["kty"] == "RSA":
        return rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    if key["kty"] == "EC":
        name = next(name for curve, name, _ in _CURVES.values() if curve == key["crv"])
        return ec.EllipticCurvePublicNumbers(number("x"), number("y"), getattr(ec, name)()).public_key()
    raise ValueError


def _check_signature(header: Mapping[str, Any], signed: bytes, signature: bytes, jwks: Mapping[str, Any]) -> None:
    """``none`` and shared secrets are no algorithms here: the header chooses only among public-key ones."""
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm[:2] not in ("RS", "ES") or algorithm[2:] not in _HASHES:
        raise TokenRefused(f"Invalid token: the algorithm {algorithm} is not supported")
    kind = "RSA" if algorithm.startswith("RS") else "EC"
    kid = header.get("kid")
    usable = [
        key
        for key in jwks.get("keys", ())
        if key.get("kty") == kind and key.get("use", "sig") == "sig" and (kid is None or key.get("kid", kid) == kid)
    ]
    if not usable:
        raise TokenRefused(
            "Couldn't retrieve verification key from your identity provider, please reference "
            "AssumeRoleWithWebIdentity documentation for requirements (Cloche fetches none: give it the provider's "
            "key set with `cloche identity-provider keys`)"
        )
    if not any(_holds(key, algorithm, signed, signature) for key in usable):
        raise TokenRefused("The signature of the token could not be verified with the provider's keys")


def _holds(key: Mapping[str, Any], algorithm: str, signed: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

    hashed = getattr(hashes, _HASHES[algorithm[2:]])()
    try:
        public = _public_key(key)
        if algorithm.startswith("RS"):
            public.verify(signature, signed, padding.PKCS1v15(), hashed)
            return True
        curve, _, size = _CURVES[algorithm[2:]]
        if key["crv"] != curve or len(signature) != 2 * size:
            return False
        pair = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        public.verify(utils.encode_dss_signature(*pair), signed, ec.ECDSA(hashed))
    except (InvalidSignature, ValueError, KeyError, TypeError, StopIteration):
        return False
    return True


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

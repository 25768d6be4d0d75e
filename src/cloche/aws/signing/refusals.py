"""What each family of services answers to a signature it will not take.

JSON services, query services (IAM, STS) and S3 have different codes for the same trouble; clients match on them.
Sources: docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html,
docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and each service's "Common Errors" page.

No refusal ever carries a secret, a signature or a session token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cloche.aws.errors import AwsError

Words = tuple[str, str, int]
"""Code, message, status."""

_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method. Consult the service documentation for details."
)
_INVALID_TOKEN: Final = "The security token included in the request is invalid."  # noqa: S105
_EXPIRED_TOKEN: Final = "The security token included in the request is expired"  # noqa: S105
_MISSING: Final = "Missing Authentication Token"


@dataclass(frozen=True, slots=True)
class Family:
    """The refusals of one family. ``s3`` turns on S3's own rules for paths, bodies and anonymous callers."""

    name: str
    missing: Words
    unknown_key: Words
    wrong_token: Words
    expired_token: Words
    mismatch: Words
    skewed: Words
    incomplete: Words
    presigned: Words
    s3: bool = False

    def refuse(self, words: Words, detail: str = "", fields: Mapping[str, str] | None = None) -> AwsError:
        """The error to raise; ``detail`` replaces the message where one is given."""
        code, message, status = words
        return AwsError(code, detail or message, status, fields=fields)


JSON: Final = Family(
    "json",
    missing=("MissingAuthenticationTokenException", _MISSING, 403),
    unknown_key=("UnrecognizedClientException", _INVALID_TOKEN, 403),
    wrong_token=("UnrecognizedClientException", _INVALID_TOKEN, 403),
    expired_token=("ExpiredTokenException", _EXPIRED_TOKEN, 403),
    mismatch=("InvalidSignatureException", _MISMATCH, 403),
    skewed=("InvalidSignatureException", "Signature expired", 403),
    incomplete=("IncompleteSignatureException", "The request signature does not conform to AWS standards.", 400),
    presigned=("InvalidSignatureException", _MISMATCH, 403),
)

QUERY: Final = Family(
    "query",
    missing=("MissingAuthenticationToken", "Request is missing Authentication Token", 403),
    unknown_key=("InvalidClientTokenId", _INVALID_TOKEN, 403),
    wrong_token=("InvalidClientTokenId", _INVALID_TOKEN, 403),
    expired_token=("ExpiredToken", _EXPIRED_TOKEN, 403),
    mismatch=("SignatureDoesNotMatch", _MISMATCH, 403),
    skewed=("SignatureDoesNotMatch", "Signature expired", 403),
    incomplete=("IncompleteSignature", "The request signature does not conform to AWS standards.", 400),
    presigned=("SignatureDoesNotMatch", _MISMATCH, 403),
)

S3: Final = Family(
    "s3",
    missing=("AccessDenied", "Access Denied", 403),
    unknown_key=("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
    wrong_token=("InvalidToken", "The provided token is malformed or otherwise invalid.", 400),
    expired_token=("ExpiredToken", "The provided token has expired.", 400),
    mismatch=(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
        403,
    ),
    skewed=(
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        403,
    ),
    incomplete=("AuthorizationHeaderMalformed", "The authorization header that you provided is not valid.", 400),
    presigned=("AuthorizationQueryParametersError", "Query-string authentication parameters are not valid.", 400),
    s3=True,
)


def family_of(service: str, protocol: str) -> Family:
    """The family of a service, by botocore's service name and the protocol of this request."""
    if service in ("s3", "s3control"):
        return S3
    return QUERY if protocol in ("query", "ec2") else JSON

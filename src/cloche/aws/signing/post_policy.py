"""Browser forms that upload to S3: who signed the policy that a form carries.

Source: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html and sigv4-authentication-HTTPPOST.html. What
the policy demands of the form's other fields is S3's to check (``services/s3/form``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.signing import sigv2
from cloche.aws.signing.keys import same, sign, signing_key
from cloche.aws.signing.refusals import S3
from cloche.aws.signing.scope import ALGORITHM, Malformed, parse_credential, parse_date
from cloche.aws.signing.sigv4 import ANONYMOUS, UNSIGNED, Verified, Verifier, caller_of, check_token

_V4: Final = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_V2: Final = ("awsaccesskeyid", "signature")


def verify_form(verifier: Verifier, fields: Mapping[str, str], now: float) -> Verified:
    """``fields`` have their names in lower case. A form without policy and signature is nobody's. Raises ``AwsError``
    (400 for a field that is missing, 403 for a key or signature that is wrong)."""
    by_v4, by_v2 = any(name in fields for name in _V4), any(name in fields for name in _V2)
    if not (by_v4 or by_v2 or "policy" in fields):
        return Verified(ANONYMOUS, "", UNSIGNED)
    for name in ("policy", *(_V4 if by_v4 else _V2)):
        if not fields.get(name):
            shown = {"awsaccesskeyid": "AWSAccessKeyId", "signature": "signature"}.get(name, name)
            raise AwsError(
                "InvalidArgument",
                f"Bucket POST must contain a field named '{shown}'.  If it is specified, please check the order of the "
                "fields.",
                fields={"ArgumentName": shown, "ArgumentValue": ""},
            )
    policy, token = fields["policy"], fields.get("x-amz-security-token", "")
    if not policy.isascii():
        raise AwsError("InvalidPolicyDocument", "Invalid Policy: Invalid Base64 Encoding.")
    if not by_v4:
        return sigv2.verify_policy(verifier, fields["awsaccesskeyid"], policy, fields["signature"], token, S3, now)
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise _argument("X-Amz-Algorithm", fields["x-amz-algorithm"], f"X-Amz-Algorithm only supports {ALGORITHM}")
    try:
        scope = parse_credential(fields["x-amz-credential"], "host")
        parse_date(fields["x-amz-date"])
    except Malformed as error:
        raise _argument("X-Amz-Credential", fields["x-amz-credential"], f"Error parsing the form: {error}") from None
    if not fields["x-amz-date"].startswith(scope.day) or scope.service != "s3":
        raise _argument(
            "X-Amz-Credential", fields["x-amz-credential"], "the Credential is mal-formed; its date or service is wrong"
        )
    credentials = verifier.find(scope.access_key, S3)
    if credentials is None:
        assert verifier.open_as is not None
        return Verified(verifier.open_as(scope.access_key), scope.region, UNSIGNED)
    key = signing_key(credentials.secret_key, scope.day, scope.region, scope.service)
    if not same(sign(key, policy), fields["x-amz-signature"]):
        raise S3.refuse(S3.mismatch, fields={"AWSAccessKeyId": scope.access_key, "StringToSign": policy})
    check_token(verifier, credentials, token, now, S3)
    return Verified(caller_of(credentials), scope.region, UNSIGNED)


def _argument(name: str, value: str, message: str) -> AwsError:
    return AwsError("InvalidArgument", message, fields={"ArgumentName": name, "ArgumentValue": value})

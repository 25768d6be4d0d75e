"""Services and their quotas: as they are for the account, and as AWS has them for a new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.quotas import SERVICES
from cloche.foundation.errors import Invalid, NotFound
from cloche.services.service_quotas.known import quota_of, quotas_of
from cloche.services.service_quotas.views import account_level, applied_view, default_view
from cloche.storage.metadata import records

PAGE_DEFAULT: Final = 100
"""The most that MaxResults may ask for in the model."""

_THEIRS: Final = str.maketrans("-_", "+/")
_OURS: Final = str.maketrans("+/", "-_")
"""The model allows base64's other alphabet in tokens."""


@operation("ListServices", reads=True)
def list_services(ctx: Context, request: Members) -> Members:
    page, following = page_of(ctx, ["ListServices"], request, sorted(SERVICES))
    shown = [{"ServiceCode": code, "ServiceName": SERVICES[code]} for code in page]
    return {"Services": shown, "NextToken": following}


@operation("ListServiceQuotas", reads=True)
def list_service_quotas(ctx: Context, request: Members) -> Members:
    account_level(request, "QuotaAppliedAtLevel")
    service, code = request["ServiceCode"], request.get("QuotaCode")
    codes = [quota_of(service, code).code] if code else list(quotas_of(service))
    page, following = page_of(ctx, ["ListServiceQuotas", service, code], request, codes)
    return {"Quotas": [applied_view(ctx, quota_of(service, each)) for each in page], "NextToken": following}


@operation("GetServiceQuota", reads=True)
def get_service_quota(ctx: Context, request: Members) -> Members:
    account_level(request, "QuotaAppliedAtLevel")
    return {"Quota": applied_view(ctx, quota_of(request["ServiceCode"], request["QuotaCode"]))}


@operation("ListAWSDefaultServiceQuotas", reads=True)
def list_aws_default_service_quotas(ctx: Context, request: Members) -> Members:
    """Those whose default AWS publishes."""
    service = request["ServiceCode"]
    codes = [code for code, quota in quotas_of(service).items() if quota.default is not None]
    page, following = page_of(ctx, ["ListAWSDefaultServiceQuotas", service], request, codes)
    return {"Quotas": [default_view(ctx, quota_of(service, each)) for each in page], "NextToken": following}


@operation("GetAWSDefaultServiceQuota", reads=True)
def get_aws_default_service_quota(ctx: Context, request: Members) -> Members:
    quota = quota_of(request["ServiceCode"], request["QuotaCode"])
    if quota.default is None:
        raise NotFound(f"AWS does not publish the default of {quota.name}, so Cloche does not know it.")
    return {"Quota": default_view(ctx, quota)}


def page_of(ctx: Context, question: Any, request: Members, keys: Sequence[str]) -> tuple[list[str], str | None]:
    """The keys of a page (``keys`` are in order), and the token of the next."""
    after = position(ctx, question, request.get("NextToken"))
    size = request.get("MaxResults", PAGE_DEFAULT)
    left = [key for key in keys if after is None or key > after]
    return left[:size], token(ctx, question, left[size - 1]) if len(left) > size else None


def position(ctx: Context, question: Any, given: str | None) -> Any:
    """Raises InvalidPaginationTokenException, which the model names for it."""
    if not given:
        return None
    try:
        return tokens.unseal(records.page_secret(ctx.parts.database.reader), question, given.translate(_OURS))[0]
    except Invalid as error:
        raise AwsError("InvalidPaginationTokenException", error.message) from None


def token(ctx: Context, question: Any, after: str | int) -> str:
    return tokens.seal(records.page_secret(ctx.parts.database.reader), question, (after,)).translate(_THEIRS)

"""Asking for another value, which is granted there and then, and what was asked for before."""

from __future__ import annotations

import math

from cloche.aws.operation import Context, Members, operation
from cloche.foundation.errors import Invalid, NotFound
from cloche.services.service_quotas.known import quota_of, quotas_of
from cloche.services.service_quotas.quota import PAGE_DEFAULT, position, token
from cloche.services.service_quotas.views import account_level, requested_view


@operation("RequestServiceQuotaIncrease")
def request_service_quota_increase(ctx: Context, request: Members) -> Members:
    """Approved at once. A lower value than the present one is granted too, which AWS does not: there is no other way
    to try what happens at a limit."""
    account_level(request, "QuotaRequestedAtLevel")
    quota = quota_of(request["ServiceCode"], request["QuotaCode"])
    if not quota.adjustable:
        raise Invalid(f"The quota {quota.name} cannot be adjusted.", field="QuotaCode")
    value = request["DesiredValue"]
    if not math.isfinite(value) or value < 0 or value != int(value):
        raise Invalid("DesiredValue must be a whole number that is not negative.", field="DesiredValue")
    requested = ctx.parts.quotas.change(ctx.account, ctx.region, quota, value, ctx.caller.arn)
    return {"RequestedQuota": requested_view(ctx, requested)}


@operation("GetRequestedServiceQuotaChange", reads=True)
def get_requested_service_quota_change(ctx: Context, request: Members) -> Members:
    found = ctx.parts.quotas.request(ctx.account, request["RequestId"])
    if found is None:
        raise NotFound(f"The request failed because the specified request does not exist: {request['RequestId']}.")
    return {"RequestedQuota": requested_view(ctx, found)}


@operation("ListRequestedServiceQuotaChangeHistory", reads=True)
def list_requested_service_quota_change_history(ctx: Context, request: Members) -> Members:
    service = request.get("ServiceCode", "")
    if service:
        quotas_of(service)
    return _history(ctx, request, service, "")


@operation("ListRequestedServiceQuotaChangeHistoryByQuota", reads=True)
def list_requested_service_quota_change_history_by_quota(ctx: Context, request: Members) -> Members:
    quota = quota_of(request["ServiceCode"], request["QuotaCode"])
    return _history(ctx, request, quota.service, quota.code)


def _history(ctx: Context, request: Members, service: str, code: str) -> Members:
    """Newest first. All of them were approved, so a question for another status has no answer."""
    account_level(request, "QuotaRequestedAtLevel")
    if request.get("Status", "APPROVED") != "APPROVED":
        return {"RequestedQuotas": []}
    question = ["history", ctx.account, ctx.region, service, code]
    size = request.get("MaxResults", PAGE_DEFAULT)
    found = ctx.parts.quotas.history(
        ctx.account,
        ctx.region,
        service=service,
        code=code,
        before=position(ctx, question, request.get("NextToken")),
        limit=size + 1,
    )
    more = token(ctx, question, found[size - 1].number) if len(found) > size else None
    return {"RequestedQuotas": [requested_view(ctx, each) for each in found[:size]], "NextToken": more}

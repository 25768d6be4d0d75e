"""What S3 itself merely keeps for a bucket, or does with it what Cloche does not: kept as it was put and told again.

``docs/reference/s3.md`` says of each what follows from it here. Replication, which would promise copies that nobody
makes, can be asked for and taken away, not set (``unsupported.toml``).
"""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.services.s3.errors import invalid_argument, invalid_request, s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of
from cloche.services.s3.paging import decode_token, encode_token
from cloche.storage.objects import BucketNotFound

PAGE_SIZE: Final = 100  # API_ListBucketInventoryConfigurations.html: "up to 100 configurations at a time"
CONFIGURATIONS_MAX: Final = 1000  # API_PutBucketInventoryConfiguration.html, "You can have up to 1,000"


def _kept(ctx: Context, request: Members, aspect: str) -> Any:
    return bucket_of(ctx, request).configuration.get(aspect)


def _keep(ctx: Context, request: Members, aspect: str, value: Any) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], aspect, value)
    return {}


# -- website ---------------------------------------------------------------------------------------------------


@s3_operation("PutBucketWebsite")
def put_bucket_website(ctx: Context, request: Members) -> Members:
    website = request["WebsiteConfiguration"]
    index, everything = website.get("IndexDocument"), website.get("RedirectAllRequestsTo")
    if everything is not None and len(website) > 1:
        raise invalid_request("RedirectAllRequestsTo cannot be provided in conjunction with other elements.")
    if everything is None:
        suffix = (index or {}).get("Suffix") or ""
        if not suffix or "/" in suffix:  # API_IndexDocument.html
            raise invalid_argument("IndexDocument", suffix, "The IndexDocument Suffix is not well formed")
    return _keep(ctx, request, "Website", website)


@s3_operation("GetBucketWebsite", reads=True)
def get_bucket_website(ctx: Context, request: Members) -> Members:
    kept = _kept(ctx, request, "Website")
    if kept is None:
        raise s3_error("NoSuchWebsiteConfiguration")
    return dict(kept)


@s3_operation("DeleteBucketWebsite")
def delete_bucket_website(ctx: Context, request: Members) -> Members:
    return _keep(ctx, request, "Website", None)


# -- logging, request payment, accelerate ----------------------------------------------------------------------


@s3_operation("PutBucketLogging")
def put_bucket_logging(ctx: Context, request: Members) -> Members:
    enabled = request["BucketLoggingStatus"].get("LoggingEnabled")
    if enabled is None:
        return _keep(ctx, request, "Logging", None)
    source = bucket_of(ctx, request)
    try:
        target = store_of(ctx).buckets.get(enabled["TargetBucket"])
    except BucketNotFound:
        target = None
    if target is None or target.account != source.account or target.region != source.region:
        # LISTED: InvalidTargetBucketForLogging
        raise s3_error(
            "InvalidTargetBucketForLogging",
            "The target bucket for logging does not exist, is not owned by you, or does not have the appropriate "
            "grants for the log-delivery group.",
            TargetBucket=enabled["TargetBucket"],
        )
    return _keep(ctx, request, "Logging", enabled)


@s3_operation("GetBucketLogging", reads=True)
def get_bucket_logging(ctx: Context, request: Members) -> Members:
    kept = _kept(ctx, request, "Logging")
    return {"LoggingEnabled": kept} if kept else {}


@s3_operation("PutBucketRequestPayment")
def put_bucket_request_payment(ctx: Context, request: Members) -> Members:
    payer = request["RequestPaymentConfiguration"].get("Payer")
    if payer not in ("Requester", "BucketOwner"):
        raise s3_error("MalformedXML")
    return _keep(ctx, request, "RequestPayment", payer)


@s3_operation("GetBucketRequestPayment", reads=True)
def get_bucket_request_payment(ctx: Context, request: Members) -> Members:
    return {"Payer": _kept(ctx, request, "RequestPayment") or "BucketOwner"}


@s3_operation("PutBucketAccelerateConfiguration")
def put_bucket_accelerate_configuration(ctx: Context, request: Members) -> Members:
    if "." in request["Bucket"]:  # docs.aws.amazon.com/AmazonS3/latest/userguide/transfer-acceleration.html
        raise invalid_request("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
    status = request["AccelerateConfiguration"].get("Status")
    if status not in ("Enabled", "Suspended"):
        raise s3_error("MalformedXML")
    return _keep(ctx, request, "Accelerate", status)


@s3_operation("GetBucketAccelerateConfiguration", reads=True)
def get_bucket_accelerate_configuration(ctx: Context, request: Members) -> Members:
    kept = _kept(ctx, request, "Accelerate")
    return {"Status": kept} if kept else {}


# -- replication -----------------------------------------------------------------------------------------------


@s3_operation("GetBucketReplication", reads=True)
def get_bucket_replication(ctx: Context, request: Members) -> Members:
    raise s3_error("ReplicationConfigurationNotFoundError")


@s3_operation("DeleteBucketReplication")
def delete_bucket_replication(ctx: Context, request: Members) -> Members:
    return {}


# -- several of a kind, each with an id ------------------------------------------------------------------------


def _put(ctx: Context, request: Members, aspect: str, member: str) -> Members:
    given = request[member]
    if given.get("Id") != request["Id"]:
        raise s3_error("InvalidArgument", "The id in the document is not the one in the request")
    kept = dict(_kept(ctx, request, aspect) or {})
    if request["Id"] not in kept and len(kept) >= CONFIGURATIONS_MAX:
        raise s3_error(
            "TooManyConfigurations",
            "You are attempting to create a new configuration but have already reached the 1,000-configuration limit.",
        )
    return _keep(ctx, request, aspect, {**kept, request["Id"]: given})


def _get(ctx: Context, request: Members, aspect: str, member: str) -> Members:
    kept = _kept(ctx, request, aspect) or {}
    if request["Id"] not in kept:
        raise s3_error("NoSuchConfiguration")
    return {member: kept[request["Id"]]}


def _delete(ctx: Context, request: Members, aspect: str) -> Members:
    kept = dict(_kept(ctx, request, aspect) or {})
    if kept.pop(request["Id"], None) is None:
        raise s3_error("NoSuchConfiguration")
    return _keep(ctx, request, aspect, kept or None)


def _list(ctx: Context, request: Members, aspect: str, member: str) -> Members:
    kept = _kept(ctx, request, aspect) or {}
    token = request.get("ContinuationToken")
    after = decode_token(token) if token else ""
    ids = [each for each in sorted(kept) if each > after]
    page = ids[:PAGE_SIZE]
    return {
        member: [kept[each] for each in page],
        "IsTruncated": len(ids) > len(page),
        "ContinuationToken": token,
        "NextContinuationToken": encode_token(page[-1]) if len(ids) > len(page) else None,
    }


@s3_operation("PutBucketInventoryConfiguration")
def put_bucket_inventory_configuration(ctx: Context, request: Members) -> Members:
    return _put(ctx, request, "Inventory", "InventoryConfiguration")


@s3_operation("GetBucketInventoryConfiguration", reads=True)
def get_bucket_inventory_configuration(ctx: Context, request: Members) -> Members:
    return _get(ctx, request, "Inventory", "InventoryConfiguration")


@s3_operation("DeleteBucketInventoryConfiguration")
def delete_bucket_inventory_configuration(ctx: Context, request: Members) -> Members:
    return _delete(ctx, request, "Inventory")


@s3_operation("ListBucketInventoryConfigurations", reads=True)
def list_bucket_inventory_configurations(ctx: Context, request: Members) -> Members:
    return _list(ctx, request, "Inventory", "InventoryConfigurationList")


@s3_operation("PutBucketAnalyticsConfiguration")
def put_bucket_analytics_configuration(ctx: Context, request: Members) -> Members:
    return _put(ctx, request, "Analytics", "AnalyticsConfiguration")


@s3_operation("GetBucketAnalyticsConfiguration", reads=True)
def get_bucket_analytics_configuration(ctx: Context, request: Members) -> Members:
    return _get(ctx, request, "Analytics", "AnalyticsConfiguration")


@s3_operation("DeleteBucketAnalyticsConfiguration")
def delete_bucket_analytics_configuration(ctx: Context, request: Members) -> Members:
    return _delete(ctx, request, "Analytics")


@s3_operation("ListBucketAnalyticsConfigurations", reads=True)
def list_bucket_analytics_configurations(ctx: Context, request: Members) -> Members:
    return _list(ctx, request, "Analytics", "AnalyticsConfigurationList")


@s3_operation("PutBucketMetricsConfiguration")
def put_bucket_metrics_configuration(ctx: Context, request: Members) -> Members:
    return _put(ctx, request, "Metrics", "MetricsConfiguration")


@s3_operation("GetBucketMetricsConfiguration", reads=True)
def get_bucket_metrics_configuration(ctx: Context, request: Members) -> Members:
    return _get(ctx, request, "Metrics", "MetricsConfiguration")


@s3_operation("DeleteBucketMetricsConfiguration")
def delete_bucket_metrics_configuration(ctx: Context, request: Members) -> Members:
    return _delete(ctx, request, "Metrics")


@s3_operation("ListBucketMetricsConfigurations", reads=True)
def list_bucket_metrics_configurations(ctx: Context, request: Members) -> Members:
    return _list(ctx, request, "Metrics", "MetricsConfigurationList")


@s3_operation("PutBucketIntelligentTieringConfiguration")
def put_bucket_intelligent_tiering_configuration(ctx: Context, request: Members) -> Members:
    return _put(ctx, request, "IntelligentTiering", "IntelligentTieringConfiguration")


@s3_operation("GetBucketIntelligentTieringConfiguration", reads=True)
def get_bucket_intelligent_tiering_configuration(ctx: Context, request: Members) -> Members:
    return _get(ctx, request, "IntelligentTiering", "IntelligentTieringConfiguration")


@s3_operation("DeleteBucketIntelligentTieringConfiguration")
def delete_bucket_intelligent_tiering_configuration(ctx: Context, request: Members) -> Members:
    return _delete(ctx, request, "IntelligentTiering")


@s3_operation("ListBucketIntelligentTieringConfigurations", reads=True)
def list_bucket_intelligent_tiering_configurations(ctx: Context, request: Members) -> Members:
    return _list(ctx, request, "IntelligentTiering", "IntelligentTieringConfigurationList")

"""DeleteObject and DeleteObjects: keys, and versions of them for good."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.services.s3.access.authorizer import may
from cloche.services.s3.causes import cause_of
from cloche.services.s3.describing import unquoted
from cloche.services.s3.errors import from_store, s3_error
from cloche.services.s3.handling import bucket_of, check_key, s3_operation, store_of, version_in
from cloche.services.s3.refusals import refuse_unsupported
from cloche.storage.objects import Deletion, Doomed, StoreError, WriteCondition
from cloche.storage.objects.buckets import OBJECT_LOCK

KEYS_MAX = 1000  # docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html


@s3_operation("DeleteObject")
def delete_object(ctx: Context, request: Members) -> Members:
    bypass = _bypass(ctx, request)
    done = store_of(ctx).delete(
        request["Bucket"],
        request["Key"],
        version=version_in(request),
        bypass_governance=bypass,
        condition=_condition(request.get("IfMatch")),
        cause=cause_of(ctx, "ObjectRemoved", "DeleteObject"),
    )
    answer: Members = {"VersionId": done.version} if done.version else {}
    if done.is_delete_marker:
        answer["DeleteMarker"] = True
    return answer


@s3_operation("DeleteObjects")
def delete_objects(ctx: Context, request: Members) -> Members:
    wanted = request.get("Delete", {}).get("Objects") or []
    if not 1 <= len(wanted) <= KEYS_MAX or any(not item.get("Key") for item in wanted):
        raise s3_error("MalformedXML")
    bypass = _bypass(ctx, request)
    bucket = bucket_of(ctx, request)
    answers: list[Deletion | AwsError] = []
    doomed: list[tuple[int, Doomed]] = []
    for place, item in enumerate(wanted):
        try:
            _check(item)
            version = version_in(item)
            if not may(ctx, bucket, "s3:DeleteObjectVersion" if version else "s3:DeleteObject", item["Key"], version):
                raise s3_error("AccessDenied")
            doomed.append((place, Doomed(item["Key"], version, bypass, _condition(item.get("ETag")))))
            answers.append(Deletion(item["Key"]))
        except AwsError as error:
            answers.append(error)
    cause = cause_of(ctx, "ObjectRemoved", "DeleteObject")
    all_done = store_of(ctx).delete_many(request["Bucket"], [each for _, each in doomed], cause=cause)
    for (place, _), done in zip(doomed, all_done, strict=True):
        answers[place] = from_store(done) if isinstance(done, StoreError) else done
    deleted: list[Members] = []
    errors: list[Members] = []
    for item, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, AwsError):
            errors.append(_error(item, answer))
        else:
            deleted.append(_deleted(item, answer))
    return {"Deleted": [] if request["Delete"].get("Quiet") else deleted, "Errors": errors}


def _bypass(ctx: Context, request: Members) -> bool:
    """Whether governance is to be bypassed. The header is for buckets with object lock (API_DeleteObject.html)."""
    if not request.get("BypassGovernanceRetention"):
        return False
    return OBJECT_LOCK in bucket_of(ctx, request).configuration


def _condition(etag: str | None) -> WriteCondition | None:
    return WriteCondition(if_match=unquoted(etag)) if etag else None


def _check(item: Members) -> None:
    check_key(item["Key"])
    for member, header in (("LastModifiedTime", "IfMatchLastModifiedTime"), ("Size", "IfMatchSize")):
        if item.get(member) is not None:
            refuse_unsupported({header: item[member]})


def _deleted(item: Members, done: Deletion) -> Members:
    """A version that was named is told so; a delete marker that was made, by its own id (API_DeletedObject.html)."""
    told: Members = {"Key": item["Key"], "VersionId": item.get("VersionId")}
    if done.is_delete_marker:
        told.update(DeleteMarker=True, DeleteMarkerVersionId=done.version)
    return told


def _error(item: Members, error: AwsError) -> Members:
    return {"Key": item["Key"], "VersionId": item.get("VersionId"), "Code": error.code, "Message": error.message}

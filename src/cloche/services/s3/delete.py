"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.services.s3.describing import unquoted
from cloche.services.s3.errors import from_store, s3_error
from cloche.services.s3.handling import check_key, s3_operation, store_of
from cloche.services.s3.refusals import refuse_unsupported
from cloche.storage.objects import Doomed, StoreError, WriteCondition

KEYS_MAX = 1000  # docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html


@s3_operation("DeleteObject")
def delete_object(ctx: Context, request: Members) -> Members:
    match = request.get("IfMatch")
    condition = WriteCondition(if_match=unquoted(match)) if match is not None else None
    store_of(ctx).delete(request["Bucket"], request["Key"], condition=condition)
    return {}


@s3_operation("DeleteObjects")
def delete_objects(ctx: Context, request: Members) -> Members:
    wanted = request.get("Delete", {}).get("Objects") or []
    if not 1 <= len(wanted) <= KEYS_MAX or any(not item.get("Key") for item in wanted):
        raise s3_error("MalformedXML")
    deleted: list[Members] = []
    errors: list[Members] = []
    plain: list[str] = []
    for item in wanted:
        try:
            _check(item)
            if item.get("ETag"):
                condition = WriteCondition(if_match=unquoted(item["ETag"]))
                store_of(ctx).delete(request["Bucket"], item["Key"], condition=condition)
            else:
                plain.append(item["Key"])
        except StoreError as error:
            errors.append(_error(item, from_store(error)))
        except AwsError as error:
            errors.append(_error(item, error))
        else:
            deleted.append({"Key": item["Key"], "VersionId": item.get("VersionId")})
    if plain:
        store_of(ctx).delete_many(request["Bucket"], [Doomed(key) for key in plain])
    return {"Deleted": [] if request["Delete"].get("Quiet") else deleted, "Errors": errors}


def _check(item: Members) -> None:
    check_key(item["Key"])
    refuse_unsupported({"VersionId": item.get("VersionId")})
    for member, header in (("LastModifiedTime", "IfMatchLastModifiedTime"), ("Size", "IfMatchSize")):
        if item.get(member) is not None:
            refuse_unsupported({header: item[member]})


def _error(item: Members, error: AwsError) -> Members:
    return {"Key": item["Key"], "VersionId": item.get("VersionId"), "Code": error.code, "Message": error.message}

"""Functions: created, described, updated, listed, deleted."""

from __future__ import annotations

from dataclasses import replace

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.engines.functions import LATEST, Owner, Version, rows
from cloche.engines.functions.layers import check_size
from cloche.engines.functions.registry import resolve
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.lambda_ import configuring, views
from cloche.services.lambda_.code import code_of
from cloche.services.lambda_.errors import preconditions
from cloche.services.lambda_.naming import named, unqualified
from cloche.services.lambda_.paging import listed
from cloche.storage.metadata import tags


@operation("CreateFunction")
def create_function(ctx: Context, request: Members) -> Members:
    """Pending until the environment of Python functions is built, which happens once on a machine."""
    owner = unqualified(ctx, request)
    functions = ctx.parts.functions
    configuring.check_refused("CreateFunction", request)
    pairs = tagging.tag_pairs({"Key": key, "Value": value} for key, value in (request.get("Tags") or {}).items())
    code = code_of(ctx, "CreateFunction", request["Code"])
    configuration = configuring.first(ctx, request, code)
    made: Version = functions.registry.create(owner, configuration, code, pairs)
    functions.prepare(made)
    if request.get("Publish"):
        made = functions.registry.publish(owner, None, "", "")
        functions.prepare(made)
    return views.configuration(ctx, made, qualified=bool(request.get("Publish")))


@operation("GetFunction", reads=True)
def get_function(ctx: Context, request: Members) -> Members:
    owner, qualifier = named(ctx, request)
    version = _found(ctx, owner, qualifier)
    pairs = tags.read(ctx.parts.database.reader, owner.arn)
    location = ctx.parts.functions.location(version.code.name)
    answer: Members = {
        "Configuration": _shown(ctx, version, qualifier),
        "Code": {"RepositoryType": "S3", "Location": location},
    }
    if pairs:
        answer["Tags"] = dict(pairs)
    reserved = rows.reserved(ctx.parts.database.reader, owner)
    if reserved is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
    return answer


@operation("GetFunctionConfiguration", reads=True)
def get_function_configuration(ctx: Context, request: Members) -> Members:
    owner, qualifier = named(ctx, request)
    return _shown(ctx, _found(ctx, owner, qualifier), qualifier)


@operation("ListFunctions", reads=True)
def list_functions(ctx: Context, request: Members) -> Members:
    if request.get("MasterRegion") not in (None, "ALL", ctx.region):
        raise NotSupported("ListFunctions does not support MasterRegion in Cloche: there is no Lambda@Edge")
    every, reader = request.get("FunctionVersion") == "ALL", ctx.parts.database.reader

    def show(row: object) -> Members:
        return views.configuration(ctx, rows.version_of_row(row), qualified=every)  # type: ignore[arg-type]

    return listed(
        ctx,
        request,
        ["ListFunctions", every],
        "Functions",
        lambda after, size: rows.latest_of_all(reader, ctx.account, ctx.region, every, after, size),
        show,
    )


@operation("UpdateFunctionCode")
def update_function_code(ctx: Context, request: Members) -> Members:
    owner, functions = unqualified(ctx, request), ctx.parts.functions
    configuring.check_refused("UpdateFunctionCode", request)
    rows.version(ctx.parts.database.reader, owner, LATEST)
    code = code_of(ctx, "UpdateFunctionCode", request)
    revision = request.get("RevisionId", "")

    def change(held: Version) -> Version:
        configuration = held.configuration
        if "Architectures" in request:
            configuration = replace(configuration, architecture=request["Architectures"][0])
        check_size(code, configuration.layers)
        return replace(held, code=code, configuration=configuration)

    with preconditions():
        if request.get("DryRun"):
            return views.configuration(ctx, change(_found(ctx, owner, LATEST)), qualified=False)
        made = functions.registry.update(owner, change, revision)
        if request.get("Publish"):
            made = functions.registry.publish(owner, None, "", "")
            functions.prepare(made)
    return views.configuration(ctx, made, qualified=bool(request.get("Publish")))


@operation("UpdateFunctionConfiguration")
def update_function_configuration(ctx: Context, request: Members) -> Members:
    owner = unqualified(ctx, request)
    configuring.check_refused("UpdateFunctionConfiguration", request)

    code = rows.version(ctx.parts.database.reader, owner, LATEST).code
    changes = configuring.changes_of(ctx, "UpdateFunctionConfiguration", request, code)

    def change(held: Version) -> Version:
        return replace(held, configuration=replace(held.configuration, **changes))

    with preconditions():
        made = ctx.parts.functions.registry.update(owner, change, request.get("RevisionId", ""))
    return views.configuration(ctx, made, qualified=False)


@operation("DeleteFunction")
def delete_function(ctx: Context, request: Members) -> Members:
    """The function with all its versions, or the one that a qualifier names."""
    owner, qualifier = named(ctx, request)
    if qualifier and qualifier != LATEST and not qualifier.isdecimal():
        raise Invalid("Deletion of aliases is not currently supported.", field="Qualifier")
    ctx.parts.functions.registry.delete(owner, qualifier)
    return {"StatusCode": 204}


def _found(ctx: Context, owner: Owner, qualifier: str) -> Version:
    return resolve(ctx.parts.database.reader, owner, qualifier or LATEST)[0]


def _shown(ctx: Context, version: Version, qualifier: str) -> Members:
    shown = views.configuration(ctx, version, qualified=bool(qualifier))
    if qualifier and not qualifier.isdecimal() and qualifier != LATEST:
        shown["FunctionArn"] = f"{version.owner.arn}:{qualifier}"
    return shown

"""Layers and their versions."""

from __future__ import annotations

from typing import Any

from cloche.aws.operation import Context, Members, operation
from cloche.engines.functions import LayerVersion
from cloche.engines.functions.layers import of_row
from cloche.foundation.errors import Invalid
from cloche.services.lambda_ import views
from cloche.services.lambda_.code import zip_of
from cloche.services.lambda_.naming import layer_name
from cloche.services.lambda_.paging import listed


@operation("PublishLayerVersion")
def publish_layer_version(ctx: Context, request: Members) -> Members:
    held = ctx.parts.functions.layers.publish(
        ctx.account,
        ctx.region,
        layer_name(ctx, request),
        zip_of(ctx, request["Content"]),
        description=request.get("Description", ""),
        runtimes=request.get("CompatibleRuntimes") or (),
        architectures=request.get("CompatibleArchitectures") or (),
        license=request.get("LicenseInfo", ""),
    )
    return _content(ctx, held)


@operation("GetLayerVersion", reads=True)
def get_layer_version(ctx: Context, request: Members) -> Members:
    name = layer_name(ctx, request)
    return _content(ctx, ctx.parts.functions.layers.get(ctx.account, ctx.region, name, request["VersionNumber"]))


@operation("GetLayerVersionByArn", reads=True)
def get_layer_version_by_arn(ctx: Context, request: Members) -> Members:
    layer, _, number = str(request["Arn"]).rpartition(":")
    if not number.isdecimal():
        raise Invalid(f"{request['Arn']} is not the ARN of a layer's version", field="Arn")
    name = layer_name(ctx, {"LayerName": layer})
    return _content(ctx, ctx.parts.functions.layers.get(ctx.account, ctx.region, name, int(number)))


@operation("DeleteLayerVersion")
def delete_layer_version(ctx: Context, request: Members) -> Members:
    name = layer_name(ctx, request)
    ctx.parts.functions.layers.delete(ctx.account, ctx.region, name, request["VersionNumber"])
    return {}


@operation("ListLayerVersions", reads=True)
def list_layer_versions(ctx: Context, request: Members) -> Members:
    name, layers = layer_name(ctx, request), ctx.parts.functions.layers
    answer = listed(
        ctx,
        request,
        ["ListLayerVersions", name, *_wanted(request)],
        "LayerVersions",
        lambda after, size: layers.versions(ctx.account, ctx.region, name, after, size),
        lambda row: views.layer_version(of_row(row)),
    )
    answer["LayerVersions"] = [each for each in answer["LayerVersions"] if _matches(request, each)]
    return answer


@operation("ListLayers", reads=True)
def list_layers(ctx: Context, request: Members) -> Members:
    layers = ctx.parts.functions.layers

    def show(row: Any) -> Members:
        held = of_row(row)
        return {
            "LayerName": held.name,
            "LayerArn": held.layer_arn,
            "LatestMatchingVersion": views.layer_version(held),
        }

    answer = listed(
        ctx,
        request,
        ["ListLayers", *_wanted(request)],
        "Layers",
        lambda after, size: layers.newest(ctx.account, ctx.region, after, size),
        show,
    )
    answer["Layers"] = [each for each in answer["Layers"] if _matches(request, each["LatestMatchingVersion"])]
    return answer


def _content(ctx: Context, held: LayerVersion) -> Members:
    shown = views.layer_content(held)
    shown["Content"]["Location"] = ctx.parts.functions.location(held.code.name)
    return shown


def _wanted(request: Members) -> list[Any]:
    return [request.get("CompatibleRuntime"), request.get("CompatibleArchitecture")]


def _matches(request: Members, shown: Members) -> bool:
    runtime, architecture = _wanted(request)
    return (runtime is None or runtime in shown.get("CompatibleRuntimes", ())) and (
        architecture is None or architecture in shown.get("CompatibleArchitectures", ())
    )

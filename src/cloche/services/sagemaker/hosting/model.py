"""Models: images and artefacts under a name. Nothing runs until an endpoint uses them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche.services.sagemaker.hosting.refusing import not_supported, refuse
from cloche.services.sagemaker.images import find_image
from cloche.services.sagemaker.model_data import object_at
from cloche.services.sagemaker.registry.deployable import containers_of_package
from cloche.services.sagemaker.vpc import check_vpc
from cloche.serving.model import ModelData
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

KIND: Final = "sagemaker/Model"

# The wording is recorded in philschmid/llm-sagemaker-sample#2.
NO_ACCESS: Final = fact(
    "ValidationException",
    'Could not access model data at {url}. Please ensure that the role "{role}" exists and that its trust '
    'relationship policy allows the action "sts:AssumeRole" for the service principal "sagemaker.amazonaws.com". '
    'Also ensure that the role has "s3:GetObject" permissions and that the object is located in {region}. If your '
    "Model uses multiple models or uncompressed models, please ensure that the role has "
    '"s3:ListBucket" permission.',
    source="philschmid/llm-sagemaker-sample#2",
)
MISSING: Final = fact(
    "ValidationException",
    'Could not find model "{arn}".',
    source="the SDK waits for 'Could not find'; the form of aws/amazon-sagemaker-examples#2339",
)

CONTAINERS_MAX: Final = 15
"""docs.aws.amazon.com/sagemaker/latest/dg/inference-pipelines.html"""
_REFUSED_OF_CONTAINER: Final = {
    "AdditionalModelDataSources": "further artefacts",
    "MultiModelConfig": "several models behind one endpoint",
    "ContainerMetricsConfig": "metrics of the container's own",
}
_REFUSED_OF_SOURCE: Final = {"ManifestS3Uri": "a list of the files", "HubAccessConfig": "models of hubs"}


class Model(Resource):
    """An image, an artefact and variables, ready to be hosted."""

    operations: ClassVar = ("CreateModel", "DescribeModel", "ListModels", "DeleteModel")
    arn: ClassVar = "model/{ModelName}"
    missing: ClassVar[Fact] = MISSING
    duplicate: ClassVar[Fact] = fact(
        "ValidationException",
        'Cannot create already existing model "{arn}".',
        source="astronomer/astronomer-providers#1055",
    )

    def check(self, ctx: Context, request: Members) -> None:
        check_vpc(request.get("VpcConfig"))
        containers = _resolved(ctx, ctx.parts.database.reader, request)
        _check_together(ctx, request, containers)
        role = request.get("ExecutionRoleArn", "")
        for container in containers:
            _check_container(ctx, container)
            artefact = artefact_of(container)
            if artefact is not None:
                check_artefact(ctx, artefact, role)

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        """A model of a package keeps what the package says today: later changes of the package are not the model's."""
        given, resolved = containers_of(request), _resolved(ctx, tx, request)
        if resolved == given:
            return
        kept = {name: value for name, value in record.request.items() if name != "PrimaryContainer"}
        is_primary = request.get("PrimaryContainer") and len(resolved) == 1
        holder = {"PrimaryContainer": resolved[0]} if is_primary else {"Containers": resolved}
        records.replace_request(tx, record.arn, {**kept, **holder}, record.created_at)

    def shown(self, ctx: Context, record: Record) -> Members:
        members: Members = {"EnableNetworkIsolation": bool(record.request.get("EnableNetworkIsolation"))}
        for name in ("PrimaryContainer", "Containers"):
            if held := record.request.get(name):
                one = isinstance(held, dict)
                shown = [{"Mode": "SingleModel", **each} for each in ([held] if one else held)]
                members[name] = shown[0] if one else shown
        return members


def containers_of(request: Members) -> list[Members]:
    """The model's containers, however the request names them. Raises ``Invalid``."""
    primary, several = request.get("PrimaryContainer"), request.get("Containers")
    if primary and several:
        raise Invalid("Only one of PrimaryContainer and Containers may be given.", field="Containers")
    if not primary and not several:
        raise Invalid("One of PrimaryContainer and Containers must be given.", field="PrimaryContainer")
    return [primary] if primary else list(several)  # type: ignore[arg-type]


def container_of(request: Members) -> Members:
    """The one container of a model that may have no more. Raises ``NotSupported``."""
    container, *others = containers_of(request)
    if others:
        raise not_supported("a model of several Containers", "an inference pipeline in place of a single container")
    return container


def is_direct(request: Members) -> bool:
    """Whether requests are for one of the containers each, not for all in a row."""
    return (request.get("InferenceExecutionConfig") or {}).get("Mode") == "Direct"


def names_of(containers: Sequence[Members]) -> list[str]:
    """What several containers are called. "If you don't provide container names, CloudWatch uses container-1,
    container-2, and so on" (docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html)."""
    return [each.get("ContainerHostname") or f"container-{number}" for number, each in enumerate(containers, 1)]


def _resolved(ctx: Context, connection: sqlite3.Connection, request: Members) -> list[Members]:
    """The containers with what the packages that they name give them: a package may be several containers itself."""
    found: list[Members] = []
    for container in containers_of(request):
        if container.get("ModelPackageName"):
            found += containers_of_package(ctx, connection, container)
            continue
        if container.get("InferenceSpecificationName"):
            raise Invalid("InferenceSpecificationName is for a ModelPackageName.", field="InferenceSpecificationName")
        found.append(container)
    return found


def _check_together(ctx: Context, request: Members, containers: Sequence[Members]) -> None:
    """What matters of containers because there are others. Raises ``Invalid`` and ``NotSupported``."""
    if len(containers) == 1:
        if is_direct(request):
            raise not_supported("InferenceExecutionConfig.Mode Direct", "a single container, called by its name")
        return
    if len(containers) > CONTAINERS_MAX:
        what = f"A model has {CONTAINERS_MAX} containers at most; these would be {len(containers)}."
        raise Invalid(what, field="Containers")
    if not ctx.parts.equipment.runtime.capabilities.several_hosts:
        raise NotSupported(
            "A model of several containers needs a sandbox for each, and bubblewrap (bwrap) is not there or does not "
            "work here."
        )
    if is_direct(request) and not all(each.get("ContainerHostname") for each in containers):
        raise Invalid("Direct invocation needs the ContainerHostname of each container.", field="ContainerHostname")
    names = names_of(containers)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid(f"ContainerHostname {twice[0]} is given to more than one container.", field="ContainerHostname")


@dataclass(frozen=True, slots=True)
class Artefact:
    """What a container is to serve, by its address: an archive, else one file or, by a prefix, all below it."""

    url: str
    is_packed: bool = True

    @property
    def data(self) -> ModelData | None:
        """``None`` where the address names nothing in S3."""
        address = object_at(self.url)
        return None if address is None else ModelData(*address, is_packed=self.is_packed)


def artefact_of(container: Members) -> Artefact | None:
    """What the container is given to serve, if anything. Raises ``Invalid`` and ``NotSupported``."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if source is None:
        return Artefact(container["ModelDataUrl"]) if container.get("ModelDataUrl") else None
    if container.get("ModelDataUrl"):
        raise Invalid("Only one of ModelDataUrl and ModelDataSource may be given.", field="ModelDataSource")
    refuse(source, _REFUSED_OF_SOURCE, "ModelDataSource.S3DataSource.")
    is_prefix, is_packed = source["S3DataType"] == "S3Prefix", source["CompressionType"] == "Gzip"
    if is_prefix and is_packed:
        raise Invalid("ModelDataSource: CompressionType Gzip is for S3DataType S3Object.", field="CompressionType")
    if is_prefix != source["S3Uri"].endswith("/"):
        ending = "S3Prefix ends with a slash" if is_prefix else "S3Object does not end with a slash"
        raise Invalid(f"ModelDataSource: the S3Uri of an {ending}: {source['S3Uri']}", field="S3Uri")
    return Artefact(source["S3Uri"], is_packed)


def find_model(ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
    """The model called ``name``. Raises AWS's words where there is none."""
    record = records.find(connection, ctx.account, ctx.region, KIND, name)
    if record is None:
        arn = f"arn:aws:sagemaker:{ctx.region}:{ctx.account}:model/{name}"
        raise MISSING.error(arn=arn)
    return record


def _check_container(ctx: Context, container: Members) -> None:
    refuse(container, _REFUSED_OF_CONTAINER)
    if container.get("Mode") == "MultiModel":
        raise not_supported("Mode MultiModel", "several models behind one endpoint")
    if (container.get("ImageConfig") or {}).get("RepositoryAccessMode") == "Vpc":
        raise not_supported("ImageConfig.RepositoryAccessMode Vpc", "a registry in your network")
    if not container.get("Image"):
        raise Invalid("The container must name an Image.", field="Image")
    check_image(ctx, container)


def check_image(ctx: Context, container: Members) -> None:
    """Raises ``Invalid`` for an image that nothing here stands in for, AWS's words for one that is not there."""
    find_image(ctx, container["Image"], "Image", is_model=True)


def own_digest(ctx: Context, uri: str) -> str:
    """Of an image of the caller's own, what the address means now; empty for one of AWS's."""
    return find_image(ctx, uri, "Image", is_model=True).digest


def check_artefact(ctx: Context, artefact: Artefact, role: str) -> None:
    """Raises AWS's words where the artefact or the role is not there."""
    refusal = NO_ACCESS.error(url=artefact.url, role=role, region=ctx.region)
    if role and not ctx.parts.identity.trusts(role, "sagemaker.amazonaws.com", account=ctx.account):
        raise refusal
    data = artefact.data
    if data is None:
        raise refusal
    try:
        if data.is_packed or not data.key.endswith("/"):
            ctx.parts.objects.head(data.bucket, data.key)
        elif next(ctx.parts.objects.iter_prefix(data.bucket, data.key), None) is None:
            raise refusal
    except NotFound:
        raise refusal from None

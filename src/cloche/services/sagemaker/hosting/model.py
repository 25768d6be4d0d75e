"""Models: an image and an artefact under a name. Nothing runs until an endpoint uses it."""

from __future__ import annotations

import sqlite3
from typing import ClassVar, Final

from cloche.aws.operation import Context, Members
from cloche.aws.resource import Fact, Resource, fact
from cloche.foundation.errors import Invalid, NotFound
from cloche.services.sagemaker.hosting.refusing import not_supported, refuse
from cloche.services.sagemaker.model_data import object_at
from cloche.services.sagemaker.registry.deployable import container_of_package
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record
from cloche_jobs import catalog

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

_REFUSED: Final = {"VpcConfig": "a model in your network"}
_REFUSED_OF_CONTAINER: Final = {
    "AdditionalModelDataSources": "further artefacts",
    "MultiModelConfig": "several models behind one endpoint",
    "ContainerMetricsConfig": "metrics of the container's own",
}


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
        refuse(request, _REFUSED)
        if (request.get("InferenceExecutionConfig") or {}).get("Mode") == "Direct":
            raise not_supported("InferenceExecutionConfig.Mode Direct", "calling one of several containers")
        container = _resolved(ctx, ctx.parts.database.reader, container_of(request))
        _check_container(container)
        role = request.get("ExecutionRoleArn", "")
        url = artefact_url(container)
        if url is not None:
            check_artefact(ctx, url, role)

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        """A model of a package keeps what the package says today: later changes of the package are not the model's."""
        container = container_of(request)
        resolved = _resolved(ctx, tx, container)
        if resolved is not container:
            holder = {"PrimaryContainer": resolved} if request.get("PrimaryContainer") else {"Containers": [resolved]}
            records.replace_request(tx, record.arn, {**record.request, **holder}, record.created_at)

    def shown(self, ctx: Context, record: Record) -> Members:
        members: Members = {"EnableNetworkIsolation": bool(record.request.get("EnableNetworkIsolation"))}
        for name in ("PrimaryContainer", "Containers"):
            if held := record.request.get(name):
                one = isinstance(held, dict)
                shown = [{"Mode": "SingleModel", **each} for each in ([held] if one else held)]
                members[name] = shown[0] if one else shown
        return members


def container_of(request: Members) -> Members:
    """The model's one container, however the request names it. Raises ``Invalid`` and ``NotSupported``."""
    primary, several = request.get("PrimaryContainer"), request.get("Containers")
    if primary and several:
        raise Invalid("Only one of PrimaryContainer and Containers may be given.", field="Containers")
    if several and len(several) > 1:
        raise not_supported("Containers", "an inference pipeline of several containers")
    if not primary and not several:
        raise Invalid("One of PrimaryContainer and Containers must be given.", field="PrimaryContainer")
    container: Members = primary or several[0]  # type: ignore[index]
    return container


def _resolved(ctx: Context, connection: sqlite3.Connection, container: Members) -> Members:
    """``container`` itself, unless it names a model package."""
    if container.get("ModelPackageName"):
        return container_of_package(ctx, connection, container)
    if container.get("InferenceSpecificationName"):
        raise Invalid("InferenceSpecificationName is for a ModelPackageName.", field="InferenceSpecificationName")
    return container


def artefact_url(container: Members) -> str | None:
    """Where the container's ``model.tar.gz`` is, if it has one. Raises ``NotSupported`` for other forms."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if source is None:
        return container.get("ModelDataUrl") or None
    if source["CompressionType"] != "Gzip" or source["S3DataType"] != "S3Object":
        raise not_supported("ModelDataSource with an uncompressed artefact", "files below a prefix")
    url: str = source["S3Uri"]
    return url


def find_model(ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
    """The model called ``name``. Raises AWS's words where there is none."""
    record = records.find(connection, ctx.account, ctx.region, KIND, name)
    if record is None:
        arn = f"arn:aws:sagemaker:{ctx.region}:{ctx.account}:model/{name}"
        raise MISSING.error(arn=arn)
    return record


def _check_container(container: Members) -> None:
    refuse(container, _REFUSED_OF_CONTAINER)
    if container.get("Mode") == "MultiModel":
        raise not_supported("Mode MultiModel", "several models behind one endpoint")
    if (container.get("ImageConfig") or {}).get("RepositoryAccessMode") == "Vpc":
        raise not_supported("ImageConfig.RepositoryAccessMode Vpc", "a registry in your network")
    if not container.get("Image"):
        raise Invalid("The container must name an Image.", field="Image")
    check_image(container)


def check_image(container: Members) -> None:
    """Raises ``Invalid`` for an image that nothing here stands in for."""
    try:
        catalog.find(container["Image"])
    except catalog.ImageUnknown as unknown:
        raise Invalid(str(unknown), field="Image") from None


def check_artefact(ctx: Context, url: str, role: str) -> None:
    """Raises AWS's words where the artefact or the role is not there."""
    refusal = NO_ACCESS.error(url=url, role=role, region=ctx.region)
    if role and not ctx.parts.identity.trusts(role, "sagemaker.amazonaws.com", account=ctx.account):
        raise refusal
    address = object_at(url)
    if address is None:
        raise refusal
    try:
        ctx.parts.objects.head(*address)
    except NotFound:
        raise refusal from None

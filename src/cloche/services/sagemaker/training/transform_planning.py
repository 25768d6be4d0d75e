"""From a CreateTransformJob request to the engine's plan, with the checks that are made on the way.

Sources: docs.aws.amazon.com/sagemaker/latest/APIReference, pages API_CreateTransformJob (limits and their products),
API_TransformS3DataSource (which types of data), API_DataProcessing; docs.aws.amazon.com/sagemaker/latest/dg,
batch-transform-data-processing.html (which formats can be filtered and joined).
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Final

from cloche.aws.operation import Context, Members
from cloche.engines.transform import Capture, Plan
from cloche.engines.transform.plan import RETRIES_DEFAULT, TIMEOUT_SECONDS_DEFAULT, batch_variables, strategy_word
from cloche.foundation.errors import Invalid, NotSupported
from cloche.foundation.limits import INSTANCES_PER_JOB_MAX
from cloche.jobs.inputs import S3Input
from cloche.services.sagemaker.checks import check_objects, check_role
from cloche.services.sagemaker.hosting.model import find_model, is_direct
from cloche.services.sagemaker.hosting.planning import plan_model
from cloche.services.sagemaker.hosting.refusing import refuse
from cloche.services.sagemaker.training.channels import address
from cloche.services.sagemaker.training.outputs import check_bucket
from cloche_jobs.transform.records import CSV, form_of
from cloche_jobs.transform.selecting import Path, PathRefused

MEGABYTES_MAX: Final = 100
"""Of ``MaxPayloadInMB``, and of its product with ``MaxConcurrentTransforms``."""
CONCURRENT_MAX: Final = 100
_REFUSED: Final = {
    "VolumeKmsKeyId": "encryption of the instances' volumes with a KMS key",
    "TransformAmiVersion": "machine images for accelerators",
}


def plan_transform_job(ctx: Context, connection: sqlite3.Connection, arn: str, request: Members) -> Plan:
    """Raises ``NotSupported`` and ``Invalid``, by name, for what cannot be done."""
    resources = request["TransformResources"]
    refuse(resources, _REFUSED, "TransformResources.")
    _check_limits(request)
    given, output = request["TransformInput"], request["TransformOutput"]
    processing = request.get("DataProcessing") or {}
    client = request.get("ModelClientConfig") or {}
    bucket, prefix = address(output["S3OutputPath"], "TransformOutput.S3OutputPath")
    found = find_model(ctx, connection, request["ModelName"])
    if is_direct(found.request):
        raise Invalid(
            "A transform job needs all of a model's containers: this one's are invoked directly.", field="ModelName"
        )
    models = plan_model(ctx, found, resources["InstanceType"])
    strategy = strategy_word(request.get("BatchStrategy"))
    variables = batch_variables(strategy, request.get("MaxPayloadInMB"), request.get("MaxConcurrentTransforms"))
    own = request.get("Environment") or {}
    model, *further = (replace(each, environment={**each.environment, **own, **variables}) for each in models)
    plan = Plan(
        arn=arn,
        name=request["TransformJobName"],
        account=ctx.account,
        region=ctx.region,
        model=model,
        further=tuple(further),
        instance_type=resources["InstanceType"],
        instance_count=resources["InstanceCount"],
        input=_input(given),
        output_bucket=bucket,
        output_prefix=prefix.rstrip("/"),
        content_type=given.get("ContentType") or None,
        accept=output.get("Accept") or None,
        split=given.get("SplitType") or "None",
        assemble=output.get("AssembleWith") or "None",
        strategy=strategy,
        payload_mb=request.get("MaxPayloadInMB"),
        concurrent=request.get("MaxConcurrentTransforms"),
        timeout_seconds=float(client.get("InvocationsTimeoutInSeconds", TIMEOUT_SECONDS_DEFAULT)),
        retries=client.get("InvocationsMaxRetries", RETRIES_DEFAULT),
        input_filter=processing.get("InputFilter") or "$",
        output_filter=processing.get("OutputFilter") or "$",
        join=processing.get("JoinSource") == "Input",
        capture=_capture(request.get("DataCaptureConfig")),
    )
    _check_processing(plan)
    return plan


def check_transform_job(ctx: Context, plan: Plan) -> None:
    """Raises what AWS answers for a role, bucket or prefix that is not there; reads only."""
    role = plan.model.role_arn
    if role:
        check_role(ctx, role)
    able = ctx.parts.transforms.runtime.capabilities
    if not plan.model.network and not able.private_network:
        raise NotSupported(
            "A model with EnableNetworkIsolation needs a sandbox, and bubblewrap (bwrap) is not there or does not "
            "work here."
        )
    if plan.instance_count > 1 and not able.several_hosts:
        raise NotSupported(
            "A transform job on more than one instance needs a sandbox for each, and bubblewrap (bwrap) is not there "
            "or does not work here."
        )
    check_objects(ctx, plan.input, role)
    check_bucket(ctx, plan.output_bucket, "TransformOutput.S3OutputPath")
    if plan.capture is not None:
        check_bucket(ctx, plan.capture.bucket, "DataCaptureConfig.DestinationS3Uri")


def _input(given: Members) -> S3Input:
    source = given["DataSource"]["S3DataSource"]
    kind = source["S3DataType"]
    if kind not in ("S3Prefix", "ManifestFile"):
        raise Invalid(
            f"S3DataType {kind} cannot be used with a transform job: S3Prefix and ManifestFile can.", field="S3DataType"
        )
    bucket, prefix = address(source["S3Uri"], "TransformInput.DataSource.S3DataSource.S3Uri")
    compression = given.get("CompressionType") or "None"
    return S3Input("TransformInput", bucket, prefix, kind, compression=compression)


def _capture(config: Members | None) -> Capture | None:
    if not config:
        return None
    bucket, prefix = address(config["DestinationS3Uri"], "DataCaptureConfig.DestinationS3Uri")
    return Capture(bucket, prefix.rstrip("/"), bool(config.get("GenerateInferenceId")))


def _check_limits(request: Members) -> None:
    count = request["TransformResources"]["InstanceCount"]
    if count > INSTANCES_PER_JOB_MAX:
        raise Invalid(
            f"{count} instances are asked for; all of them run on this machine, and a job may have "
            f"{INSTANCES_PER_JOB_MAX}.",
            field="InstanceCount",
        )
    megabytes, concurrent = request.get("MaxPayloadInMB"), request.get("MaxConcurrentTransforms")
    if megabytes is not None and megabytes > MEGABYTES_MAX:
        raise Invalid(f"MaxPayloadInMB is {megabytes}; the maximum is {MEGABYTES_MAX}.", field="MaxPayloadInMB")
    if concurrent is not None and concurrent > CONCURRENT_MAX:
        raise Invalid(
            f"MaxConcurrentTransforms is {concurrent}; the maximum is {CONCURRENT_MAX}.",
            field="MaxConcurrentTransforms",
        )
    if (megabytes or 0) * (concurrent or 0) > MEGABYTES_MAX:
        raise Invalid(
            f"MaxConcurrentTransforms * MaxPayloadInMB is {megabytes} * {concurrent}; the maximum is {MEGABYTES_MAX}.",
            field="MaxConcurrentTransforms",
        )


def _check_processing(plan: Plan) -> None:
    paths = {"InputFilter": plan.input_filter, "OutputFilter": plan.output_filter}
    read: dict[str, Path] = {}
    for member, text in paths.items():
        try:
            read[member] = Path(text)
        except PathRefused as refused:
            raise Invalid(
                f"DataProcessing.{member} is no JSONPath that can be used: {refused}.", field=member
            ) from None
    is_whole = all(path.is_whole for path in read.values()) and not plan.join
    form, answer = form_of(plan.content_type), form_of(plan.accept)
    if not is_whole and form is None:
        raise Invalid(
            "DataProcessing needs TransformInput.ContentType to be text/csv, application/json or "
            f"application/jsonlines; it is {plan.content_type or 'not given'}.",
            field="ContentType",
        )
    if plan.join and plan.accept and (answer == CSV) != (form == CSV):
        raise Invalid(
            f"JoinSource Input needs an output of the input's own format: Accept is {plan.accept}, ContentType is "
            f"{plan.content_type}.",
            field="Accept",
        )
    if not is_whole and plan.split not in ("None", "Line"):
        raise Invalid(f"DataProcessing cannot be used with SplitType {plan.split}.", field="SplitType")
    for member, path in read.items():
        if form == CSV and path.by_names and (member == "InputFilter" or plan.join or answer in (None, CSV)):
            raise Invalid(
                f"DataProcessing.{member} {path.text} names attributes; of a row of CSV only numbers can be selected.",
                field=member,
            )

"""A model that has taken over is watched by its own baseline: the one that the pipeline registered with it."""

import os

import boto3

KEPT = (
    "DataQualityAppSpecification",
    "DataQualityJobInput",
    "DataQualityJobOutputConfig",
    "JobResources",
    "NetworkConfig",
    "RoleArn",
    "StoppingCondition",
)


def handler(event, context):
    sagemaker, schedule = boto3.client("sagemaker"), os.environ["SCHEDULE"]
    try:
        watched = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=schedule)["MonitoringScheduleConfig"]
    except sagemaker.exceptions.ResourceNotFound:
        return "nobody watches yet"
    package = package_of(sagemaker, event["detail"]["EndpointName"])
    made = f"{schedule}-{package['ModelPackageVersion']}"
    if watched["MonitoringJobDefinitionName"] == made:
        return f"{made} is in use already"
    before = sagemaker.describe_data_quality_job_definition(JobDefinitionName=watched["MonitoringJobDefinitionName"])
    known = package["ModelMetrics"]["ModelDataQuality"]
    try:
        sagemaker.create_data_quality_job_definition(
            JobDefinitionName=made,
            DataQualityBaselineConfig={
                f"{part}Resource": {"S3Uri": known[part]["S3Uri"]} for part in ("Statistics", "Constraints")
            },
            **{member: before[member] for member in KEPT if member in before},
        )
    except sagemaker.exceptions.ResourceInUse:
        pass  # an event may come twice
    sagemaker.update_monitoring_schedule(
        MonitoringScheduleName=schedule,
        MonitoringScheduleConfig={**watched, "MonitoringJobDefinitionName": made},
    )
    print(f"{schedule} goes by the baseline of version {package['ModelPackageVersion']}")
    return made


def package_of(sagemaker, endpoint):
    """What serves now."""
    config = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    [variant] = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    return sagemaker.describe_model_package(ModelPackageName=model["PrimaryContainer"]["ModelPackageName"])

"""An approved model takes over: a tenth of the requests for half an hour, then all; back again if an alarm rings."""

import os

import boto3

CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
            "WaitIntervalInSeconds": 1800,
        },
        "TerminationWaitInSeconds": 600,
        "MaximumExecutionTimeoutInSeconds": 7200,
    }
}


def handler(event, context):
    sagemaker, name = boto3.client("sagemaker"), os.environ["ENDPOINT"]
    arn = event["detail"]["ModelPackageArn"]
    made = f"{name}-{arn.rpartition('/')[2]}"
    try:
        sagemaker.describe_model(ModelName=made)
        return f"{made} is there already"  # an event may come twice
    except sagemaker.exceptions.ClientError:
        pass
    sagemaker.create_model(
        ModelName=made, ExecutionRoleArn=os.environ["ROLE"], PrimaryContainer={"ModelPackageName": arn}
    )
    sagemaker.create_endpoint_config(
        EndpointConfigName=made,
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": made,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": os.environ["CAPTURED"],
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        },
    )
    found = sagemaker.list_endpoints(NameContains=name)["Endpoints"]
    if any(each["EndpointName"] == name for each in found):
        alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": os.environ["ERRORS_ALARM"]}]}}
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=made, DeploymentConfig={**CANARY, **alarms})
    else:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=made)
    print(f"{name} is to serve {arn}")
    return made

"""Once a day: an alarm that still rings has the pipeline run again, on what came in since."""

import os

import boto3


def handler(event, context):
    sagemaker, name = boto3.client("sagemaker"), os.environ["PIPELINE"]
    [alarm] = boto3.client("cloudwatch").describe_alarms(AlarmNames=[os.environ["ALARM"]])["MetricAlarms"]
    if alarm["StateValue"] != "ALARM":
        return "all is well"
    runs = sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    if any(run["PipelineExecutionStatus"] == "Executing" for run in runs):
        return "it runs already"
    print(f"{alarm['AlarmName']} still rings: {alarm['StateReason']}")
    return sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]

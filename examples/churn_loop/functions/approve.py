"""The approval policy: a model that waits for approval gets it when its AUC on unseen customers is good enough."""

import json
import os
from urllib.parse import urlparse

import boto3


def handler(event, context):
    sagemaker, s3 = boto3.client("sagemaker"), boto3.client("s3")
    arn = event["detail"]["ModelPackageArn"]
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    if package["ModelApprovalStatus"] != "PendingManualApproval":
        return "it has been decided already"
    place = urlparse(package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"])
    report = json.load(s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"])
    auc = report["binary_classification_metrics"]["auc"]["value"]
    decision = "Approved" if auc >= float(os.environ["MINIMUM_AUC"]) else "Rejected"
    print(f"{arn}: AUC {auc:.4f}, {decision}")
    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=decision, ApprovalDescription=f"AUC {auc:.4f} by the policy"
    )
    return decision

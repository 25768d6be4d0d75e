"""What runs inside AWS's Model Monitor images: data quality, model quality, and the merging of ground truth.

The container's contract (variables of the environment, files read and written) is AWS's, as
docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html and
``sagemaker/model_monitor/model_monitoring.py`` of aws/sagemaker-python-sdk have it. What AWS computes with Spark and
Deequ is computed here in one scan, in states that can be added: ``docs/reference/model-monitor.md`` tells what is
alike to the last digit, what is not, and why.
"""

"""The inside of a Lambda function's process: loads the handler, then answers events one after another.

What it says and does is that of AWS's Python runtimes: aws/aws-lambda-python-runtime-interface-client tells the
documents, types and words of every failure.
"""

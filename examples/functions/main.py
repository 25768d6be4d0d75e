"""A Lambda function by SageMaker's Python SDK 2, as pipelines' steps use it: upsert, invoke, change, delete.

main.py       needs nothing; run it again, and the function is updated
"""

import base64
import json
import tempfile
from pathlib import Path

import sagemaker
from sagemaker.lambda_helper import Lambda

session = sagemaker.Session()
iam = session.boto_session.client("iam")
client = session.boto_session.client("lambda")

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
try:
    role = iam.create_role(RoleName="ModelChecker", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
except iam.exceptions.EntityAlreadyExistsException:
    role = iam.get_role(RoleName="ModelChecker")["Role"]["Arn"]
iam.attach_role_policy(RoleName="ModelChecker", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")

CODE = """
import boto3

def handler(event, context):
    buckets = boto3.client("s3").list_buckets()["Buckets"]
    accuracy = event.get("accuracy", 0.0)
    print(f"{context.function_name} looks at {accuracy}")
    return {"statusCode": 200, "deploy": accuracy >= THRESHOLD, "buckets": len(buckets)}
"""

with tempfile.TemporaryDirectory() as folder:
    script = Path(folder) / "check.py"
    for threshold in (0.9, 0.5):
        script.write_text(f"THRESHOLD = {threshold}\n{CODE}")
        function = Lambda(
            function_name="model-checker",
            execution_role_arn=role,
            script=str(script),
            handler="check.handler",
            runtime="python3.12",
            session=session,
        )
        function.upsert()
        client.get_waiter("function_active_v2").wait(FunctionName="model-checker")
        client.get_waiter("function_updated_v2").wait(FunctionName="model-checker")
        answer = function.invoke()
        assert answer["StatusCode"] == 200 and "FunctionError" not in answer, answer["Payload"].read()
        print("by the SDK:", answer["Payload"].read().decode())
        answer = client.invoke(FunctionName="model-checker", Payload=json.dumps({"accuracy": 0.7}), LogType="Tail")
        print(f"at {threshold}: deploy", json.load(answer["Payload"])["deploy"])
        print(base64.b64decode(answer["LogResult"]).decode().strip())

function.delete()
try:
    function.invoke()
except ValueError as error:
    print("deleted:", "ResourceNotFoundException" in str(error))

"""Training on folders of file systems, with SageMaker's Python SDK 2.

main.py DIRECTORY     where the file system fs-0123456789abcdef0 is mounted on this machine
"""

import json
import sys
from pathlib import Path

import sagemaker
from sagemaker.inputs import FileSystemInput
from sagemaker.sklearn import SKLearn

FILE_SYSTEM = "fs-0123456789abcdef0"
directory = Path(sys.argv[1])
(directory / "train").mkdir(parents=True, exist_ok=True)
(directory / "state").mkdir(exist_ok=True)
(directory / "train" / "rows.csv").write_text("".join(f"{number},{2 * number}\n" for number in range(10)))

session = sagemaker.Session()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
rows = FileSystemInput(FILE_SYSTEM, "EFS", "/train", file_system_access_mode="ro")
state = FileSystemInput(FILE_SYSTEM, "FSxLustre", "/mountname/state", file_system_access_mode="rw")
estimator = SKLearn(
    "train.py",
    source_dir=str(Path(__file__).parent / "script"),
    framework_version="1.2-1",
    role=role,
    instance_type="ml.m5.large",
    instance_count=1,
    subnets=["subnet-0123456789abcdef0"],
    security_group_ids=["sg-0123456789abcdef0"],
    sagemaker_session=session,
)
estimator.fit({"train": rows, "state": state})
found = json.loads((directory / "state" / "model.json").read_text())
assert abs(found["slope"] - 2) < 1e-6, found
print("RESULT " + json.dumps(found))

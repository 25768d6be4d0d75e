"""The same with SageMaker Python SDK v3: FileSystemDataSource and ModelTrainer.

sdk3.py DIRECTORY     where the file system fs-0123456789abcdef0 is mounted on this machine
"""

import json
import sys
from pathlib import Path

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import (
    Compute,
    FileSystemDataSource,
    InputData,
    Networking,
    SourceCode,
)
from sagemaker.train import ModelTrainer

FILE_SYSTEM = "fs-0123456789abcdef0"
directory = Path(sys.argv[1])
for name in ("train", "state"):
    (directory / name).mkdir(parents=True, exist_ok=True)
(directory / "train" / "rows.csv").write_text("".join(f"{number},{3 * number}\n" for number in range(10)))

session = Session()
trainer = ModelTrainer(
    training_image=image_uris.retrieve("sklearn", session.boto_region_name, "1.2-1"),
    source_code=SourceCode(source_dir=str(Path(__file__).parent / "script"), entry_script="train.py"),
    role=f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole",
    sagemaker_session=session,
    base_job_name="file-systems",
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5),
    networking=Networking(subnets=["subnet-0123456789abcdef0"], security_group_ids=["sg-0123456789abcdef0"]),
)
channels = [
    InputData(
        channel_name=name,
        data_source=FileSystemDataSource(
            file_system_id=FILE_SYSTEM,
            file_system_type="EFS",
            file_system_access_mode=mode,
            directory_path=f"/{name}",
        ),
    )
    for name, mode in (("train", "ro"), ("state", "rw"))
]
trainer.train(input_data_config=channels, wait=True, logs=True)
state = json.loads((directory / "state" / "model.json").read_text())
assert abs(state["slope"] - 3) < 1e-6, state
print("RESULT " + json.dumps(state))

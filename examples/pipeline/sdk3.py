"""A pipeline by SageMaker's SDK 3: train, and go on by what came of it, even where that is a failure.

sdk3.py DATA     DATA holds train/ and validation/ as CSV, label first
"""

import json
import sys
import time
from pathlib import Path

from sagemaker.core import image_uris
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.core.workflow.conditions import ConditionGreaterThan, ConditionNot, ConditionOr
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.step_dependency import StepDependency, TriggerCondition
from sagemaker.mlops.workflow.steps import CacheConfig, TrainingStep
from sagemaker.train import ModelTrainer

data = Path(sys.argv[1])
session = PipelineSession()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
objective = ParameterString("Objective", default_value="binary:logistic")
rounds = ParameterInteger("Rounds", default_value=10)

trainer = ModelTrainer(
    training_image=image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1"),
    role=role,
    sagemaker_session=session,
    base_job_name="sdk3-pipeline",
    hyperparameters={"objective": objective, "eval_metric": "auc", "num_round": rounds.to_string()},
    compute=Compute(instance_type="ml.m5.xlarge", instance_count=1, volume_size_in_gb=10),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
    output_data_config=OutputDataConfig(
        s3_output_path=Join(on="/", values=[f"s3://{bucket}/sdk3-pipeline", ExecutionVariables.PIPELINE_EXECUTION_ID])
    ),
)
inputs = [
    InputData(
        channel_name=name,
        data_source=session.upload_data(str(data / name), bucket, f"sdk3-pipeline/{name}"),
        content_type="text/csv",
    )
    for name in ("train", "validation")
]
train = TrainingStep("Train", trainer.train(input_data_config=inputs), cache_config=CacheConfig(True, "PT1H"))
seconds = train.properties.TrainingTimeInSeconds
slow = ConditionOr([ConditionGreaterThan(seconds, 300), ConditionNot(ConditionGreaterThan(rounds, 0))])
judge = ConditionStep("Judge", conditions=[slow], if_steps=[FailStep("TooSlow", "It took too long")], else_steps=[])
after_failure = ConditionStep(
    "AfterFailure",
    conditions=[ConditionGreaterThan(rounds, 0)],
    if_steps=[],
    else_steps=[],
    depends_on=[StepDependency(train, TriggerCondition.FAILED)],
)
pipeline = Pipeline(
    name="sdk3-pipeline", parameters=[objective, rounds], steps=[train, judge, after_failure], sagemaker_session=session
)
pipeline.upsert(role_arn=role)
found = {}
for name, parameters in (("good", {}), ("again", {}), ("bad", {"Objective": "no:such"})):
    execution = pipeline.start(parameters=parameters)
    while execution.describe()["PipelineExecutionStatus"] == "Executing":  # wait() knows no CompletedWithFailures
        time.sleep(1)
    steps = {step["StepName"]: "CacheHitResult" in step for step in execution.list_steps()}
    found[name] = {"status": execution.describe()["PipelineExecutionStatus"], "steps": steps}
    print(name, found[name])
print("RESULT " + json.dumps(found))

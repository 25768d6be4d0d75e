"""A pipeline by SageMaker's SDK 2: prepare, train, evaluate, and register what is good enough.

main.py DATA     DATA holds train/, validation/ and test/ as CSV, label first
"""

import json
import sys
import time
from pathlib import Path

from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TrainingStep

data, here = Path(sys.argv[1]), Path(__file__).parent
name = sys.argv[2] if len(sys.argv) > 2 else "breast-cancer"
session = PipelineSession()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
for part in ("train", "validation", "test"):
    session.upload_data(str(data / part), bucket, "pipeline/rows")

rows = ParameterString("InputData", default_value=f"s3://{bucket}/pipeline/rows")
rounds = ParameterInteger("Rounds", default_value=20)
wanted = ParameterFloat("WantedAuc", default_value=0.9)
cache = CacheConfig(enable_caching=True, expire_after="P1D")
image = image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1")
instance = {"instance_type": "ml.m5.large", "instance_count": 1, "role": role, "sagemaker_session": session}

prepared = ProcessingStep(
    "Prepare",
    step_args=SKLearnProcessor(framework_version="1.2-1", **instance).run(
        code=str(here / "steps/prepare.py"),
        arguments=["--test-share", "0.25"],
        inputs=[ProcessingInput(source=rows, destination="/opt/ml/processing/input/rows")],
        outputs=[
            ProcessingOutput(output_name=part, source=f"/opt/ml/processing/{part}")
            for part in ("train", "validation", "test")
        ],
    ),
    cache_config=cache,
)
outputs = prepared.properties.ProcessingOutputConfig.Outputs
estimator = Estimator(
    image,
    output_path=f"s3://{bucket}/pipeline/models",
    disable_profiler=True,
    hyperparameters={"objective": "binary:logistic", "eval_metric": "auc", "num_round": rounds.to_string()},
    **instance,
)
trained = TrainingStep(
    "Train",
    step_args=estimator.fit(
        {part: TrainingInput(outputs[part].S3Output.S3Uri, content_type="text/csv") for part in ("train", "validation")}
    ),
    cache_config=cache,
)
artifact = trained.properties.ModelArtifacts.S3ModelArtifacts
report = PropertyFile("Report", output_name="evaluation", path="evaluation.json")
evaluated = ProcessingStep(
    "Evaluate",
    step_args=ScriptProcessor(image_uri=image, command=["python3"], **instance).run(
        code=str(here / "steps/evaluate.py"),
        inputs=[
            ProcessingInput(source=artifact, destination="/opt/ml/processing/model"),
            ProcessingInput(source=outputs["test"].S3Output.S3Uri, destination="/opt/ml/processing/test"),
        ],
        outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
    ),
    property_files=[report],
    cache_config=cache,
)
where = evaluated.properties.ProcessingOutputConfig.Outputs["evaluation"].S3Output.S3Uri
statistics = MetricsSource("application/json", Join(on="/", values=[where, "evaluation.json"]))
registered = ModelStep(
    "Register",
    step_args=Model(image, model_data=artifact, role=role, sagemaker_session=session).register(
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name=name,
        model_metrics=ModelMetrics(model_statistics=statistics),
    ),
)
auc = JsonGet(step_name="Evaluate", property_file=report, json_path="binary_classification_metrics.auc.value")
refused = FailStep("Refuse", Join(on=" ", values=["The AUC", auc, "is below", wanted]))
judged = ConditionStep(
    "Judge", conditions=[ConditionGreaterThanOrEqualTo(auc, wanted)], if_steps=[registered], else_steps=[refused]
)
pipeline = Pipeline(
    name, [rows, rounds, wanted], steps=[prepared, trained, evaluated, judged], sagemaker_session=session
)


def run(**parameters):
    began = time.monotonic()
    execution = pipeline.start(parameters=parameters)
    try:
        execution.wait(delay=1)
    except Exception as error:  # the waiter's own, where the execution failed
        print(error)
    steps = {step["StepName"]: step for step in execution.list_steps()}
    print(f"{execution.describe()['PipelineExecutionStatus']} in {time.monotonic() - began:.1f} s: {list(steps)}")
    return execution, steps


pipeline.upsert(role_arn=role, description="from rows to a registered model")
pipeline.upsert(role_arn=role)  # once more updates it
first, steps = run()
assert first.describe()["PipelineExecutionStatus"] == "Succeeded", steps
package = steps["Register-RegisterModel"]["Metadata"]["RegisterModel"]["Arn"]
second, again = run()
assert all("CacheHitResult" in again[each] for each in ("Prepare", "Train", "Evaluate")), again
assert again["Register-RegisterModel"]["Metadata"]["RegisterModel"]["Arn"] != package
third, hopeless = run(WantedAuc=0.99999)
assert third.describe()["PipelineExecutionStatus"] == "Failed"
print(
    "RESULT "
    + json.dumps(
        {
            "steps": sorted(steps),
            "package": package,
            "refused": hopeless["Refuse"]["FailureReason"],
            "parameters": third.list_parameters()["PipelineParameters"],
        }
    )
)

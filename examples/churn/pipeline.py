"""The churn case as a SageMaker pipeline, with the SageMaker Python SDK v2: prepare, tune, evaluate, decide, register.

Prepare ─► Tune ─► Evaluate ─► GoodEnough? ─yes─► Register (a package that waits for approval)
                                          └─no──► TooWeak (the execution fails, with its reason)
"""

from pathlib import Path

from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TuningStep

STEPS = Path(__file__).resolve().parent / "steps"
XGBOOST, SKLEARN, INSTANCE = "1.7-1", "1.2-1", "ml.m5.large"
AUC = "binary_classification_metrics.auc.value"


def churn_pipeline(name, session, role, data, group, *, cached=True, minimum=0.8):
    """The pipeline, not yet made. ``session`` is a PipelineSession, ``data`` the default address of the raw file(s),
    ``group`` the model package group that gets the model. ``cached`` is for data that stay as they are under their
    address; ``minimum`` the AUC that a model must reach."""
    raw = ParameterString("RawData", default_value=data)
    threshold = ParameterFloat("MinimumAuc", default_value=minimum)
    trials = ParameterInteger("Trials", default_value=6)
    image = image_uris.retrieve("xgboost", session.boto_region_name, XGBOOST)
    cache = CacheConfig(enable_caching=True, expire_after="P30D") if cached else None

    prepare = ProcessingStep(
        "Prepare",
        step_args=SKLearnProcessor(
            SKLEARN, role, instance_type=INSTANCE, instance_count=1, sagemaker_session=session
        ).run(
            code=str(STEPS / "prepare.py"),
            inputs=[ProcessingInput(source=raw, destination="/opt/ml/processing/input")],
            outputs=[
                ProcessingOutput(output_name=part, source=f"/opt/ml/processing/{part}")
                for part in ("train", "validation", "test", "report")
            ],
        ),
        cache_config=cache,
    )
    tune = TuningStep(
        "Tune",
        step_args=tuner(name, image, role, session, trials).fit(
            {part: TrainingInput(output(prepare, part), content_type="text/csv") for part in ("train", "validation")}
        ),
        cache_config=cache,
    )
    artefact = tune.get_top_model_s3_uri(0, session.default_bucket(), f"{name}/trials")
    report = PropertyFile("EvaluationReport", output_name="evaluation", path="evaluation.json")
    evaluate = ProcessingStep(
        "Evaluate",
        step_args=ScriptProcessor(
            command=["python3"],
            image_uri=image,
            role=role,
            instance_count=1,
            instance_type=INSTANCE,
            sagemaker_session=session,
        ).run(
            code=str(STEPS / "evaluate.py"),
            inputs=[
                ProcessingInput(source=artefact, destination="/opt/ml/processing/model"),
                ProcessingInput(source=output(prepare, "test"), destination="/opt/ml/processing/test"),
                ProcessingInput(source=output(prepare, "report"), destination="/opt/ml/processing/report"),
            ],
            outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
        ),
        property_files=[report],
        cache_config=cache,
    )
    metrics = ModelMetrics(
        model_statistics=MetricsSource(
            s3_uri=Join(on="/", values=[output(evaluate, "evaluation"), "evaluation.json"]),
            content_type="application/json",
        )
    )
    register = ModelStep(
        "Register",
        step_args=Model(image_uri=image, model_data=artefact, role=role, sagemaker_session=session).register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=[INSTANCE],
            transform_instances=[INSTANCE],
            model_package_group_name=group,
            approval_status="PendingManualApproval",
            model_metrics=metrics,
        ),
    )
    auc = JsonGet(step_name=evaluate.name, property_file=report, json_path=AUC)
    decide = ConditionStep(
        "GoodEnough",
        conditions=[ConditionGreaterThanOrEqualTo(left=auc, right=threshold)],
        if_steps=[register],
        else_steps=[
            FailStep("TooWeak", error_message=Join(on=" ", values=["The AUC on unseen customers is below", threshold]))
        ],
    )
    return Pipeline(
        name,
        parameters=[raw, threshold, trials],
        steps=[prepare, tune, evaluate, decide],
        sagemaker_session=session,
    )


def tuner(name, image, role, session, trials):
    estimator = Estimator(
        image,
        role,
        instance_count=1,
        instance_type=INSTANCE,
        output_path=f"s3://{session.default_bucket()}/{name}/trials",
        sagemaker_session=session,
        hyperparameters={"objective": "binary:logistic", "eval_metric": "auc", "num_round": 150},
    )
    return HyperparameterTuner(
        estimator,
        objective_metric_name="validation:auc",
        hyperparameter_ranges={
            "max_depth": IntegerParameter(2, 8),
            "eta": ContinuousParameter(0.02, 0.4, scaling_type="Logarithmic"),
            "min_child_weight": ContinuousParameter(1, 20),
            "subsample": ContinuousParameter(0.5, 1.0),
        },
        strategy="Bayesian",
        max_jobs=trials,
        max_parallel_jobs=2,
        random_seed=7,
    )


def output(step, name):
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri

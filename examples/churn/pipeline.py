"""The churn case as a SageMaker pipeline, with the SageMaker Python SDK v2: prepare, tune, evaluate, decide, register.

Prepare ─► Tune ─► Evaluate ─► GoodEnough? ─yes─► Register (a package that waits for approval)
                                          └─no──► TooWeak (the execution fails, with its reason)

One that is to be watched has another step, Baseline, between Evaluate and GoodEnough: what Model Monitor needs to know
of the model's data and scores, registered with it.
"""

from pathlib import Path

from sagemaker import image_uris
from sagemaker.drift_check_baselines import DriftCheckBaselines
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.model_monitor import DatasetFormat
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter
from sagemaker.workflow.check_job_config import CheckJobConfig
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.quality_check_step import DataQualityCheckConfig, QualityCheckStep
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TuningStep

STEPS = Path(__file__).resolve().parent / "steps"
XGBOOST, SKLEARN, INSTANCE = "1.7-1", "1.2-1", "ml.m5.large"
AUC = "binary_classification_metrics.auc.value"


def churn_pipeline(name, session, role, data, group, *, cached=True, minimum=0.8, watched=False, at_once=2):
    """The pipeline, not yet made. ``session`` is a PipelineSession, ``data`` the default address of the raw file(s),
    ``group`` the model package group that gets the model. ``cached`` is for data that stay as they are under their
    address; ``minimum`` the AUC that a model must reach; ``watched`` says that the package is to carry a baseline.
    With more than one trial ``at_once``, what the search learns from depends on which of them ends first."""
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
        step_args=tuner(name, image, role, session, trials, at_once).fit(
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
            outputs=[
                ProcessingOutput(output_name=part, source=f"/opt/ml/processing/{part}")
                for part in ("evaluation", "baseline")
            ],
        ),
        property_files=[report],
        cache_config=cache,
    )
    metrics = {"model_statistics": found_at(Join(on="/", values=[output(evaluate, "evaluation"), "evaluation.json"]))}
    held = None
    if watched:
        baseline = suggest(name, role, session, output(evaluate, "baseline"))
        known = {
            "model_data_statistics": found_at(baseline.properties.CalculatedBaselineStatistics),
            "model_data_constraints": found_at(baseline.properties.CalculatedBaselineConstraints),
        }
        metrics |= known
        held = DriftCheckBaselines(**known)
    register = ModelStep(
        "Register",
        step_args=Model(image_uri=image, model_data=artefact, role=role, sagemaker_session=session).register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=[INSTANCE],
            transform_instances=[INSTANCE],
            model_package_group_name=group,
            approval_status="PendingManualApproval",
            model_metrics=ModelMetrics(**metrics),
            drift_check_baselines=held,
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
        steps=[prepare, tune, evaluate, *([baseline] if watched else []), decide],
        sagemaker_session=session,
    )


def suggest(name, role, session, data):
    """The step that says what is usual in ``data``. It checks nothing: a model that was trained anew is to differ."""
    place = [f"s3://{session.default_bucket()}/{name}/baselines", ExecutionVariables.PIPELINE_EXECUTION_ID]
    return QualityCheckStep(
        "Baseline",
        quality_check_config=DataQualityCheckConfig(
            baseline_dataset=data,
            dataset_format=DatasetFormat.csv(header=True),
            output_s3_uri=Join(on="/", values=place),
        ),
        check_job_config=CheckJobConfig(role=role, instance_type=INSTANCE, sagemaker_session=session),
        skip_check=True,
        register_new_baseline=True,
    )


def found_at(address):
    return MetricsSource(s3_uri=address, content_type="application/json")


def tuner(name, image, role, session, trials, at_once):
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
        max_parallel_jobs=at_once,
        random_seed=7,
    )


def output(step, name):
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri

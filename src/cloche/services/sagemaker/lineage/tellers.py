"""Who tells the graph of what, by the kind of records."""

from __future__ import annotations

from typing import Final

from cloche.engines.lineage.recording import Recording
from cloche.services.sagemaker.experiments.tracking import follow_job
from cloche.services.sagemaker.lineage import job_tellers, model_tellers

RECORDING: Final = Recording(
    {
        "sagemaker/TrainingJob": job_tellers.training_job,
        "sagemaker/ProcessingJob": job_tellers.processing_job,
        "sagemaker/TransformJob": job_tellers.transform_job,
        "sagemaker/Model": model_tellers.model,
        "sagemaker/Endpoint": model_tellers.endpoint,
        "sagemaker/InferenceComponent": model_tellers.inference_component,
        "sagemaker/ModelPackageGroup": model_tellers.model_package_group,
        "sagemaker/ModelPackage": model_tellers.model_package,
    },
    follow_job,
    frozenset({"sagemaker/Endpoint", "sagemaker/InferenceComponent", "sagemaker/ModelPackage"}),
)

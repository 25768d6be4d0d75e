"""Amazon SageMaker's control plane: the nouns Cloche answers. The rest is in ``unsupported.toml``, with reasons."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.sagemaker.errors import CODES

SERVICE = Service(
    name="sagemaker",
    modules=(
        "cloche.services.sagemaker.tags",
        "cloche.services.sagemaker.training.training_job",
        "cloche.services.sagemaker.training.transform_job",
        "cloche.services.sagemaker.tuning.hyper_parameter_tuning_job",
        "cloche.services.sagemaker.tuning.training_jobs",
        "cloche.services.sagemaker.processing.processing_job",
        "cloche.services.sagemaker.hosting.model",
        "cloche.services.sagemaker.hosting.endpoint_config",
        "cloche.services.sagemaker.hosting.endpoint",
        "cloche.services.sagemaker.hosting.inference_component",
        "cloche.services.sagemaker.registry.model_package_group",
        "cloche.services.sagemaker.registry.model_package_group_policy",
        "cloche.services.sagemaker.registry.model_package",
        "cloche.services.sagemaker.registry.batch",
        "cloche.services.sagemaker.experiments.experiment",
        "cloche.services.sagemaker.experiments.trial",
        "cloche.services.sagemaker.experiments.trial_component",
        "cloche.services.sagemaker.lineage.action",
        "cloche.services.sagemaker.lineage.artifact",
        "cloche.services.sagemaker.lineage.association",
        "cloche.services.sagemaker.lineage.context",
        "cloche.services.sagemaker.lineage.query",
        "cloche.services.sagemaker.search.search",
        "cloche.services.sagemaker.search.suggestions",
        "cloche.services.sagemaker.pipelines.pipeline",
        "cloche.services.sagemaker.pipelines.pipeline_version",
        "cloche.services.sagemaker.pipelines.pipeline_execution",
        "cloche.services.sagemaker.pipelines.pipeline_execution_step",
        "cloche.services.sagemaker.monitoring.data_quality_job_definition",
        "cloche.services.sagemaker.monitoring.model_quality_job_definition",
        "cloche.services.sagemaker.monitoring.monitoring_schedule",
        "cloche.services.sagemaker.monitoring.monitoring_execution",
        "cloche.services.sagemaker.monitoring.monitoring_alert",
        "cloche.services.sagemaker.registry.model_card",
        "cloche.services.sagemaker.registry.model_card_versions",
        "cloche.services.sagemaker.registry.model_card_export_job",
    ),
    errors=CODES,
)

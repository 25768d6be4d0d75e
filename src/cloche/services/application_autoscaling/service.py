"""Application Auto Scaling, of the resources there are here: SageMaker's variants and inference components."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.application_autoscaling.errors import CODES

SERVICE = Service(
    name="application-autoscaling",
    modules=(
        "cloche.services.application_autoscaling.scalable_target",
        "cloche.services.application_autoscaling.scaling_policy",
        "cloche.services.application_autoscaling.scheduled_action",
        "cloche.services.application_autoscaling.scaling_activity",
        "cloche.services.application_autoscaling.tags",
    ),
    errors=CODES,
)

"""Amazon ECR: repositories of container images. The registry protocol that clients push with is ``server/registry``."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.ecr.errors import CODES

SERVICE = Service(
    name="ecr",
    modules=(
        "cloche.services.ecr.repository",
        "cloche.services.ecr.repository_settings",
        "cloche.services.ecr.repository_policy",
        "cloche.services.ecr.image",
        "cloche.services.ecr.image_list",
        "cloche.services.ecr.layer",
        "cloche.services.ecr.lifecycle_policy",
        "cloche.services.ecr.registry",
        "cloche.services.ecr.registry_scanning",
        "cloche.services.ecr.authorization_token",
        "cloche.services.ecr.tags",
    ),
    errors=CODES,
)

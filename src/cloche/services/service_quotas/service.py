"""Service Quotas: what an account may have, asked for and granted."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.service_quotas.errors import CODES

SERVICE = Service(
    name="service-quotas",
    modules=(
        "cloche.services.service_quotas.quota",
        "cloche.services.service_quotas.change",
    ),
    errors=CODES,
)

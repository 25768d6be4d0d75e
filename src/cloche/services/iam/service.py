"""AWS IAM: roles, users, their policies and keys, and the simulator. The rest is in ``unsupported.toml``."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.iam.errors import CODES

SERVICE = Service(
    name="iam",
    modules=(
        "cloche.services.iam.role",
        "cloche.services.iam.role_policy",
        "cloche.services.iam.user",
        "cloche.services.iam.user_policy",
        "cloche.services.iam.access_key",
        "cloche.services.iam.policy",
        "cloche.services.iam.policy_version",
        "cloche.services.iam.simulation",
        "cloche.services.iam.account",
    ),
    errors=CODES,
)

"""AWS IAM: principals, policies, credentials, providers, and the simulator. The rest is in ``unsupported.toml``."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.iam.errors import CODES

SERVICE = Service(
    name="iam",
    modules=(
        "cloche.services.iam.role",
        "cloche.services.iam.user",
        "cloche.services.iam.group",
        "cloche.services.iam.instance_profile",
        "cloche.services.iam.held_policies",
        "cloche.services.iam.tagging",
        "cloche.services.iam.access_key",
        "cloche.services.iam.login_profile",
        "cloche.services.iam.mfa_device",
        "cloche.services.iam.oidc_provider",
        "cloche.services.iam.saml_provider",
        "cloche.services.iam.certificates",
        "cloche.services.iam.linked_role",
        "cloche.services.iam.policy",
        "cloche.services.iam.policy_version",
        "cloche.services.iam.simulation",
        "cloche.services.iam.account",
        "cloche.services.iam.report",
        "cloche.services.iam.details",
    ),
    errors=CODES,
)

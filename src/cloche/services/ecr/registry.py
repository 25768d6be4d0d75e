"""What holds for a whole registry, an account's in a region: its policy, its settings, and what it does not do here."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.image_registry.registry import MOUNTING
from cloche.foundation.errors import NotSupported
from cloche.services.ecr.access import is_policy, registry_of
from cloche.services.ecr.errors import invalid

POLICY: Final = "policy"
SETTINGS: Final = {MOUNTING: ("ENABLED", "DISABLED"), "REGISTRY_POLICY_SCOPE": ("V2",)}
"""Account settings and their values here (API_PutAccountSetting.html)."""


@operation("DescribeRegistry", reads=True)
def describe_registry(ctx: Context, request: Members) -> Members:
    return {"registryId": ctx.account, "replicationConfiguration": {"rules": []}}


@operation("PutReplicationConfiguration")
def put_replication_configuration(ctx: Context, request: Members) -> Members:
    """No rules is what every registry has; any rule would promise copies that nobody makes."""
    if request["replicationConfiguration"]["rules"]:
        raise NotSupported("Cloche replicates no images to other regions or accounts: rules must be empty")
    return {"replicationConfiguration": {"rules": []}}


@operation("PutRegistryPolicy")
def put_registry_policy(ctx: Context, request: Members) -> Members:
    text = request["policyText"]
    if not is_policy(text):
        raise invalid("PolicyText", "Invalid registry policy provided")
    registry_of(ctx).keep_document(ctx.account, ctx.region, POLICY, text)
    return {"registryId": ctx.account, "policyText": text}


@operation("GetRegistryPolicy", reads=True)
def get_registry_policy(ctx: Context, request: Members) -> Members:
    text = registry_of(ctx).document(ctx.account, ctx.region, POLICY)
    if text is None:
        raise AwsError(  # getmoto/moto, moto/ecr/exceptions.py
            "RegistryPolicyNotFoundException",
            f"Registry policy does not exist in the registry with id '{ctx.account}'",
        )
    return {"registryId": ctx.account, "policyText": text}


@operation("DeleteRegistryPolicy")
def delete_registry_policy(ctx: Context, request: Members) -> Members:
    answer = get_registry_policy(ctx, request)
    registry_of(ctx).keep_document(ctx.account, ctx.region, POLICY, None)
    return answer


@operation("GetAccountSetting", reads=True)
def get_account_setting(ctx: Context, request: Members) -> Members:
    name = request["name"]
    values = _values_of(name)
    return {"name": name, "value": registry_of(ctx).document(ctx.account, ctx.region, name) or values[0]}


@operation("PutAccountSetting")
def put_account_setting(ctx: Context, request: Members) -> Members:
    name, value = request["name"], request["value"]
    if value not in _values_of(name):
        raise invalid("value", f"Member must satisfy enum value set: [{', '.join(SETTINGS[name])}]")
    registry_of(ctx).keep_document(ctx.account, ctx.region, name, value)
    return {"name": name, "value": value}


def _values_of(name: str) -> tuple[str, ...]:
    if name == "BASIC_SCAN_TYPE_VERSION":
        raise NotSupported("Cloche scans no images for vulnerabilities: there is no BASIC_SCAN_TYPE_VERSION")
    if name not in SETTINGS:
        raise invalid("name", f"Member must satisfy enum value set: [{', '.join(SETTINGS)}]")
    return SETTINGS[name]

"""Roles that are linked to a service, as IAM makes and deletes them. Which there are is ``engines/identity``'s.

Sentences: Rayraegah/terraform-aws-hasura#17 (the name is taken), terraform-community-modules/tf_aws_elasticsearch#23
(suffix).
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.autoscaling import TARGET
from cloche.engines.identity import linked_roles
from cloche.engines.identity.linked_roles import LINKED_PATH, SERVICES
from cloche.foundation.errors import NotFound
from cloche.services.iam.errors import invalid_input
from cloche.services.iam.naming import mine
from cloche.services.iam.views import view_role

TASK: Final = "deletion-task"


@operation("CreateServiceLinkedRole")
def create_service_linked_role(ctx: Context, request: Members) -> Members:
    service, suffix = request["AWSServiceName"], request.get("CustomSuffix")
    known = SERVICES.get(service)
    if known is None:
        raise invalid_input(
            f"{service} is no service that Cloche makes a linked role for. It knows: {', '.join(sorted(SERVICES))}."
        )
    if suffix and not known.suffix:
        raise invalid_input(f"Custom suffix is not allowed for {service}")
    name = f"{known.role}_{suffix}" if suffix else known.role
    identity = mine(ctx)
    if identity.entities.find("role", name) is not None:
        raise invalid_input(f"Service role name {name} has been taken in this account, please try a different suffix.")
    role = linked_roles.create(identity, service, suffix or "", request.get("Description"))
    return {"Role": view_role(role)}


@operation("DeleteServiceLinkedRole")
def delete_service_linked_role(ctx: Context, request: Members) -> Members:
    """Done at once, or at once given up: one through which targets are scaled stays."""
    identity = mine(ctx)
    role = identity.entities.role(request["RoleName"])
    if not role.path.startswith(LINKED_PATH):
        raise NotFound(f"The role with name {role.name} cannot be found.")
    service = role.path.removeprefix(LINKED_PATH).rstrip("/")
    task = f"task{LINKED_PATH}{service}/{role.name}/{uuid.uuid4()}"
    used = _used(ctx, role.arn)
    if not used:
        for arn in identity.holdings.attached_to(role):
            identity.holdings.detach("role", role.name, arn)
        identity.entities.delete("role", role.name)
    identity.things.create(TASK, task, {"used": used}, exists="There is such a task.")
    return {"DeletionTaskId": task}


@operation("GetServiceLinkedRoleDeletionStatus", reads=True)
def get_service_linked_role_deletion_status(ctx: Context, request: Members) -> Members:
    name = request["DeletionTaskId"]
    task = mine(ctx).things.get(TASK, name, f"The deletion task with id {name} cannot be found.")
    used = task.details.get("used")
    if not used:
        return {"Status": "SUCCEEDED"}
    return {
        "Status": "FAILED",
        "Reason": {
            "Reason": "A service-linked role cannot be deleted while resources use it.",
            "RoleUsageList": [{"Region": region, "Resources": arns} for region, arns in used.items()],
        },
    }


def _used(ctx: Context, role_arn: str) -> dict[str, Any]:
    """By region, what acts through the role: targets of Application Auto Scaling."""
    rows = ctx.parts.database.reader.execute(
        "SELECT region, arn FROM records WHERE account = ? AND kind = ? AND json_extract(request, '$.RoleARN') = ?",
        (ctx.account, TARGET, role_arn),
    )
    used: dict[str, Any] = {}
    for row in rows:
        used.setdefault(row["region"], []).append(row["arn"])
    return used

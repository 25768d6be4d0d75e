"""Roles that are linked to a service: their names, paths and trust are the service's, and AWS alone changes them.

The names and policies below are those of AWS's pages on each service's linked role; the overview with all services
is docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html. Sentences:
Rayraegah/terraform-aws-hasura#17 (the name is taken), terraform-community-modules/tf_aws_elasticsearch#23 (suffix).
A policy that AWS attaches and that is not among those Cloche has stays away.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.managed import PREFIX
from cloche.foundation.errors import NotFound
from cloche.services.iam.errors import invalid_input
from cloche.services.iam.naming import LINKED_PATH, mine
from cloche.services.iam.views import view_role


@dataclass(frozen=True, slots=True)
class Linked:
    role: str
    policy: str
    suffix: bool = False
    """Whether several are allowed, told apart by a suffix."""


SERVICES: Final = {
    "autoscaling.amazonaws.com": Linked("AWSServiceRoleForAutoScaling", "AutoScalingServiceRolePolicy", True),
    "sagemaker.application-autoscaling.amazonaws.com": Linked(
        "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
        "AWSApplicationAutoscalingSageMakerEndpointPolicy",
    ),
    "ecs.application-autoscaling.amazonaws.com": Linked(
        "AWSServiceRoleForApplicationAutoScaling_ECSService", "AWSApplicationAutoscalingECSServicePolicy"
    ),
    "dynamodb.application-autoscaling.amazonaws.com": Linked(
        "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable", "AWSApplicationAutoscalingDynamoDBTablePolicy"
    ),
    "batch.amazonaws.com": Linked("AWSServiceRoleForBatch", "BatchServiceRolePolicy"),
    "ecs.amazonaws.com": Linked("AWSServiceRoleForECS", "AmazonECSServiceRolePolicy"),
    "eks.amazonaws.com": Linked("AWSServiceRoleForAmazonEKS", "AmazonEKSServiceRolePolicy"),
    "elasticache.amazonaws.com": Linked("AWSServiceRoleForElastiCache", "ElastiCacheServiceRolePolicy"),
    "elasticloadbalancing.amazonaws.com": Linked(
        "AWSServiceRoleForElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy"
    ),
    "elasticmapreduce.amazonaws.com": Linked("AWSServiceRoleForEMRCleanup", "AmazonEMRCleanupPolicy"),
    "es.amazonaws.com": Linked("AWSServiceRoleForAmazonElasticsearchService", "AmazonElasticsearchServiceRolePolicy"),
    "events.amazonaws.com": Linked("AWSServiceRoleForCloudWatchEvents", "CloudWatchEventsServiceRolePolicy"),
    "opensearchservice.amazonaws.com": Linked(
        "AWSServiceRoleForAmazonOpenSearchService", "AmazonOpenSearchServiceRolePolicy"
    ),
    "organizations.amazonaws.com": Linked("AWSServiceRoleForOrganizations", "AWSOrganizationsServiceTrustPolicy"),
    "rds.amazonaws.com": Linked("AWSServiceRoleForRDS", "AmazonRDSServiceRolePolicy"),
    "replication.ecr.amazonaws.com": Linked("AWSServiceRoleForECRReplication", "ECRReplicationServiceRolePolicy"),
    "spot.amazonaws.com": Linked("AWSServiceRoleForEC2Spot", "AWSEC2SpotServiceRolePolicy"),
    "sagemaker.amazonaws.com": Linked(
        "AWSServiceRoleForAmazonSageMakerNotebooks", "AmazonSageMakerNotebooksServiceRolePolicy"
    ),
}
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
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    role = identity.entities.create_role(
        name,
        json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        path=f"{LINKED_PATH}{service}/",
        description=request.get("Description"),
    )
    arn = f"{PREFIX}aws-service-role/{known.policy}"
    if identity.policies.find(arn) is not None:
        identity.holdings.attach("role", name, arn)
    return {"Role": view_role(role)}


@operation("DeleteServiceLinkedRole")
def delete_service_linked_role(ctx: Context, request: Members) -> Members:
    """Nothing in Cloche acts through linked roles, so nothing stands in the way: it is gone at once."""
    identity = mine(ctx)
    role = identity.entities.role(request["RoleName"])
    if not role.path.startswith(LINKED_PATH):
        raise NotFound(f"The role with name {role.name} cannot be found.")
    service = role.path.removeprefix(LINKED_PATH).rstrip("/")
    task = f"task{LINKED_PATH}{service}/{role.name}/{uuid.uuid4()}"
    for arn in identity.holdings.attached_to(role):
        identity.holdings.detach("role", role.name, arn)
    identity.entities.delete("role", role.name)
    identity.things.create(TASK, task, {}, exists="There is such a task.")
    return {"DeletionTaskId": task}


@operation("GetServiceLinkedRoleDeletionStatus", reads=True)
def get_service_linked_role_deletion_status(ctx: Context, request: Members) -> Members:
    task = request["DeletionTaskId"]
    mine(ctx).things.get(TASK, task, f"The deletion task with id {task} cannot be found.")
    return {"Status": "SUCCEEDED"}

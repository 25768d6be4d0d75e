"""Roles that are linked to a service: their names, paths and trust are the service's, and AWS alone changes them.

The names and policies below are those of AWS's pages on each service's linked role; the overview with all services
is docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html. A policy that AWS attaches
and that is not among those Cloche has stays away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from cloche.engines.identity.account import AccountIdentity
from cloche.engines.identity.entities import Role
from cloche.engines.identity.managed import PREFIX
from cloche.foundation.errors import AlreadyExists

LINKED_PATH: Final = "/aws-service-role/"


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


def create(identity: AccountIdentity, service: str, suffix: str = "", description: str | None = None) -> Role:
    """The role of one of ``SERVICES``. Raises ``AlreadyExists``."""
    known = SERVICES[service]
    name = f"{known.role}_{suffix}" if suffix else known.role
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    role = identity.entities.create_role(
        name,
        json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        path=f"{LINKED_PATH}{service}/",
        description=description,
    )
    arn = f"{PREFIX}aws-service-role/{known.policy}"
    if identity.policies.find(arn) is not None:
        identity.holdings.attach("role", name, arn)
    return role


def ensure(identity: AccountIdentity, service: str) -> str:
    """The ARN of the service's role, which is made if it is not there yet."""
    found = identity.entities.find("role", SERVICES[service].role)
    if found is None:
        try:
            found = create(identity, service)
        except AlreadyExists:  # somebody else was quicker
            found = identity.entities.get("role", SERVICES[service].role)
    return found.arn

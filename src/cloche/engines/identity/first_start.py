"""The execution role a new data directory begins with.

Every SageMaker call wants a role, and on AWS the console makes one at the first visit to SageMaker. So Cloche does,
under the path, trust and policy that the console uses, and nothing about it is hidden: it is listed, described,
changed and deleted as any other role, and it is not made again once deleted.
Source: docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html ("AmazonSageMaker-ExecutionRole-…", service
principal sagemaker.amazonaws.com, AmazonSageMakerFullAccess).
"""

from __future__ import annotations

import json
from typing import Final

from cloche.engines.identity.entity_table import EntityTable
from cloche.engines.identity.holdings import Holdings
from cloche.engines.identity.managed import PREFIX

EXECUTION_ROLE: Final = "AmazonSageMaker-ExecutionRole"
EXECUTION_ROLE_PATH: Final = "/service-role/"
TRUST: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def make_execution_role(entities: EntityTable, holdings: Holdings) -> None:
    """Make it, unless a role of that name is there."""
    if entities.find("role", EXECUTION_ROLE) is not None:
        return
    entities.create_role(
        EXECUTION_ROLE,
        TRUST,
        path=EXECUTION_ROLE_PATH,
        description="Made by Cloche at its first start, for jobs and endpoints that need a role",
    )
    holdings.attach("role", EXECUTION_ROLE, PREFIX + "AmazonSageMakerFullAccess")

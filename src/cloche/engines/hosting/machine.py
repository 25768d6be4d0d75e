"""The life of an endpoint, as a table.

    Creating ──Healthy──▶ InService ◀──Healthy / Unhealthy── Updating
        │                   │  └──────────UpdateAsked───────────▲
     Unhealthy          DeleteAsked
        ▼                   ▼
      Failed ─DeleteAsked▶ Deleting ──Gone──▶ Deleted

A guarded update (``rollout``) goes through its phases in Updating, by ``Progressed``, and back through them in
RollingBack when an alarm rings, its time is over or its fleet cannot be brought up:

    Updating ──RollBack──▶ RollingBack ──RolledBack──▶ InService
                               └──Unhealthy──▶ UpdateRollbackFailed, of which an update or a deletion may be asked

Nothing can be asked of an endpoint that is being created, updated or rolled back, as in AWS.

An update brings its fleet up beside the one that serves. Each step stands beside its undo in ``STEPS``; what was
done of them before a failure is undone in reverse: so an update that fails leaves the endpoint ``InService`` on its
old configuration, with the reason. Source of the states:
docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html (``EndpointStatus``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "endpoint"

CREATING: Final = "Creating"
IN_SERVICE: Final = "InService"
UPDATING: Final = "Updating"
ROLLING_BACK: Final = "RollingBack"
UPDATE_ROLLBACK_FAILED: Final = "UpdateRollbackFailed"
FAILED: Final = "Failed"
DELETING: Final = "Deleting"
DELETED: Final = "Deleted"

SERVING: Final = frozenset({IN_SERVICE, UPDATING, ROLLING_BACK, UPDATE_ROLLBACK_FAILED})
"""In which it answers requests."""

HEALTHY: Final = "Healthy"
UNHEALTHY: Final = "Unhealthy"
PROGRESSED: Final = "Progressed"
ROLL_BACK: Final = "RollBack"
ROLLED_BACK: Final = "RolledBack"
UPDATE_ASKED: Final = "UpdateAsked"
DELETE_ASKED: Final = "DeleteAsked"
GONE: Final = "Gone"

ENDPOINT: Final = Lifecycle(
    kind=KIND,
    initial=CREATING,
    table={
        (CREATING, HEALTHY): IN_SERVICE,
        (CREATING, UNHEALTHY): FAILED,
        (CREATING, BROKEN): FAILED,
        (IN_SERVICE, UPDATE_ASKED): UPDATING,
        (IN_SERVICE, DELETE_ASKED): DELETING,
        (IN_SERVICE, BROKEN): IN_SERVICE,
        (UPDATING, HEALTHY): IN_SERVICE,
        (UPDATING, UNHEALTHY): IN_SERVICE,
        (UPDATING, BROKEN): IN_SERVICE,
        (UPDATING, PROGRESSED): UPDATING,
        (UPDATING, ROLL_BACK): ROLLING_BACK,
        (ROLLING_BACK, PROGRESSED): ROLLING_BACK,
        (ROLLING_BACK, ROLLED_BACK): IN_SERVICE,
        (ROLLING_BACK, UNHEALTHY): UPDATE_ROLLBACK_FAILED,
        (ROLLING_BACK, BROKEN): IN_SERVICE,
        (UPDATE_ROLLBACK_FAILED, UPDATE_ASKED): UPDATING,
        (UPDATE_ROLLBACK_FAILED, DELETE_ASKED): DELETING,
        (UPDATE_ROLLBACK_FAILED, BROKEN): UPDATE_ROLLBACK_FAILED,
        (FAILED, DELETE_ASKED): DELETING,
        (FAILED, BROKEN): FAILED,
        (DELETING, GONE): DELETED,
        (DELETING, BROKEN): DELETING,
    },
    terminal=frozenset({DELETED}),
    standing=frozenset({IN_SERVICE, FAILED, UPDATE_ROLLBACK_FAILED}),
)


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    undo: str


STEPS: Final = (
    Step("keep the new fleet's instances in the document", "take them out of the document"),
    Step("unpack each instance's model into its own folder", "remove the folder"),
    Step("start each instance's model server", "stop it and forget it"),
    Step("wait for each /ping", "nothing to undo"),
    Step("send new requests to the new fleet", "never undone: the update has succeeded"),
    Step("let the old fleet finish what it has, then stop it", "never undone"),
)

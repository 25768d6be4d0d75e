"""The policy simulator: the stored documents, or given ones, really evaluated.

Both SageMaker SDKs ask before they train or deploy whether a role may do what they are about to do, and go by
``EvalDecision`` of each result. Without ``ResourceArns`` an action is tried on ``*``, which only statements about
every resource cover. Global keys that follow from the principal are filled in; all others are the caller's to give
in ``ContextEntries``, and those that were wanted and not given are told in ``MissingContextValues``.

The form of the answer (a result for each action on each resource, ``EvalResourceName`` ``*`` without resources,
``SourcePolicyType`` "IAM Policy") is that of AWS CLI's example simulate-principal-policy.rst and of
docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import Kind
from cloche.engines.identity.policy import Decision, Policies, Request, Source, as_context, compile_document, evaluate
from cloche.services.iam.errors import identity_policy, invalid_input
from cloche.services.iam.naming import mine
from cloche.services.iam.paging import cut, paged

ACTION: Final = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
NOT_EVALUATED: Final = ("ResourcePolicy", "OrderedOrganizationPolicyInputList", "PolicyExclusionList")


@operation("SimulatePrincipalPolicy", reads=True)
def simulate_principal_policy(ctx: Context, request: Members) -> Members:
    rights, arn = mine(ctx).rights, request["PolicySourceArn"]
    kind, name = _entity(ctx, arn)
    held = rights.of(kind, name)
    more = _sources("PolicyInputList", request.get("PolicyInputList"))
    bound = _boundary(request)
    policies = Policies(held.identity + more, held.boundary if bound is None else bound)
    return _simulated(request, policies, rights.context(request.get("CallerArn") or arn))


@operation("SimulateCustomPolicy", reads=True)
def simulate_custom_policy(ctx: Context, request: Members) -> Members:
    caller = request.get("CallerArn")
    known = mine(ctx).rights.context(caller) if caller else {}
    policies = Policies(_sources("PolicyInputList", request["PolicyInputList"]), _boundary(request))
    return _simulated(request, policies, known)


@operation("GetContextKeysForCustomPolicy", reads=True)
def get_context_keys_for_custom_policy(ctx: Context, request: Members) -> Members:
    return _keys(_sources("PolicyInputList", request["PolicyInputList"]))


@operation("GetContextKeysForPrincipalPolicy", reads=True)
def get_context_keys_for_principal_policy(ctx: Context, request: Members) -> Members:
    kind, name = _entity(ctx, request["PolicySourceArn"])
    held = mine(ctx).rights.of(kind, name)
    return _keys(held.identity + _sources("PolicyInputList", request.get("PolicyInputList")))


def _keys(sources: Sequence[Source]) -> Members:
    found: frozenset[str] = frozenset().union(*(source.document.keys for source in sources))
    return {"ContextKeyNames": sorted(found)}


def _entity(ctx: Context, arn: str) -> tuple[Kind, str]:
    """Whose policies: a role's or a user's. The words are IAM's, as quoted in
    aws-containers/amazon-ecs-exec-checker#10."""
    known = mine(ctx).rights.known(arn)
    if known.kind is None or ":iam:" not in arn:
        raise invalid_input(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    entity = mine(ctx).entities.get(known.kind, known.name)
    if entity.arn != arn:
        raise AwsError("NoSuchEntity", f"The {known.kind} with name {known.name} cannot be found.", 404)
    return known.kind, known.name


def _sources(member: str, documents: Sequence[str] | None) -> tuple[Source, ...]:
    return tuple(
        Source(f"{member}.{number}", "none", compile_document(identity_policy(text)))
        for number, text in enumerate(documents or (), 1)
    )


def _boundary(request: Members) -> tuple[Source, ...] | None:
    member = "PermissionsBoundaryPolicyInputList"
    return _sources(member, request[member]) if request.get(member) else None


def _simulated(request: Members, policies: Policies, known: Mapping[str, Sequence[str]]) -> Members:
    for member in NOT_EVALUATED:
        if request.get(member):
            raise invalid_input(f"{member} is not evaluated by Cloche's simulator yet; leave it out.")
    given = as_context(
        (each["ContextKeyName"], each.get("ContextKeyValues") or ())
        for each in request.get("ContextEntries") or ()
        if each.get("ContextKeyName")
    )
    context = {**known, **given}
    results = [
        _result(action, resource, evaluate(Request(action, resource, context), policies), request)
        for action in _actions(request)
        for resource in _resources(request)
    ]
    numbered = [(f"{number:09}", result) for number, result in enumerate(results)]
    page, end = cut(numbered, request, lambda each: each[0])
    return paged("EvaluationResults", [result for _, result in page], end)


def _actions(request: Members) -> Sequence[str]:
    for action in request["ActionNames"]:
        if ACTION.fullmatch(action) is None:
            raise invalid_input(f"Invalid Action Name: {action}")
    return tuple(request["ActionNames"])


def _resources(request: Members) -> Sequence[str]:
    named = request.get("ResourceArns") or ("*",)
    for resource in named:
        if resource != "*" and not (resource.startswith("arn:") and resource.count(":") >= 5):
            # Seen in aws-containers/amazon-ecs-exec-checker#35.
            raise invalid_input(f"ResourceNames are not in a valid ARN format: {resource}.")
    return tuple(named)


def _result(action: str, resource: str, decision: Decision, request: Members) -> Members:
    shared: Members = {
        "MatchedStatements": [
            {"SourcePolicyId": source.id, "SourcePolicyType": "IAM Policy"} for source in decision.matched
        ],
        "MissingContextValues": sorted(decision.missing),
    }
    if decision.boundary_allows is not None:
        shared["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": decision.boundary_allows}
    result: Members = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decision.outcome.value,
        **shared,
    }
    if request.get("ResourceArns"):
        result["ResourceSpecificResults"] = [
            {"EvalResourceName": resource, "EvalResourceDecision": decision.outcome.value, **shared}
        ]
    return result

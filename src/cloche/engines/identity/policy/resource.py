"""What a policy that hangs on a resource (a bucket's) says of somebody's request.

Other than an identity's, its statements name principals. A statement that allows by naming an account, or
everybody, is told apart from one that names the principal itself: within an account both grant, and across
accounts the principal's own account has to agree as well.
Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

from __future__ import annotations

from cloche.engines.identity.policy.document import Document, Statement
from cloche.engines.identity.policy.evaluate import Outcome, Request
from cloche.engines.identity.policy.principals import Named, Principal, named


def evaluate_resource_policy(document: Document, who: Principal, request: Request) -> Outcome:
    """An explicit deny outweighs; then any allow; else an implicit deny, which is no more than silence."""
    outcome = Outcome.IMPLICIT_DENY
    for statement in document.covering(request.action.lower()):
        if not _applies(statement, who, request):
            continue
        if not statement.allows:
            return Outcome.EXPLICIT_DENY
        outcome = Outcome.ALLOWED
    return outcome


def _applies(statement: Statement, who: Principal, request: Request) -> bool:
    if named(statement.principals, who) is Named.NOT:
        return False
    if statement.resources is not None and not statement.resources.cover(request.resource, request.context):
        return False
    return all(clause.holds(request.context) for clause in statement.conditions)

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.identity.policy import (
    Named,
    Outcome,
    Policies,
    Principal,
    Request,
    Source,
    as_context,
    compile_document,
    evaluate,
    trust,
)

ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
DENY_ALL = {"Effect": "Deny", "Action": "*", "Resource": "*"}


def sources(*statements: dict[str, Any]) -> tuple[Source, ...]:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return (Source("p", "none", compile_document(text)),)


def outcome(
    action: str, resource: str, *statements: dict[str, Any], boundary: Any = None, session: Any = None, **context: Any
) -> Outcome:
    request = Request(action, resource, as_context(context.items()))
    policies = Policies(
        sources(*statements) if statements else (),
        None if boundary is None else sources(boundary),
        None if session is None else sources(session),
    )
    return evaluate(request, policies).outcome


statement = st.builds(
    lambda effect, action, resource: {"Effect": effect, "Action": action, "Resource": resource},
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["*", "s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject", "sqs:*"]),
    st.sampled_from(["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/k", "arn:aws:s3:::c/*"]),
)


@given(st.lists(statement, min_size=1, max_size=6), st.randoms())
def test_a_deny_wins_wherever_it_stands(statements: list[dict[str, Any]], random: Any) -> None:
    def asks(*found: dict[str, Any]) -> Outcome:
        return outcome("s3:GetObject", "arn:aws:s3:::b/k", *found)

    alone = [asks(each) for each in statements]
    expected = Outcome.IMPLICIT_DENY
    if Outcome.ALLOWED in alone:
        expected = Outcome.ALLOWED
    if Outcome.EXPLICIT_DENY in alone:
        expected = Outcome.EXPLICIT_DENY
    shuffled = list(statements)
    random.shuffle(shuffled)
    assert asks(*statements) is asks(*shuffled) is expected


def test_nothing_said_is_a_denial() -> None:
    assert outcome("s3:GetObject", "*") is Outcome.IMPLICIT_DENY


def test_actions_in_any_case_resources_to_the_letter() -> None:
    one = {"Effect": "Allow", "Action": "S3:getobject", "Resource": "arn:aws:s3:::Bucket/*"}
    assert outcome("s3:GetObject", "arn:aws:s3:::Bucket/x", one) is Outcome.ALLOWED
    assert outcome("s3:GetObject", "arn:aws:s3:::bucket/x", one) is Outcome.IMPLICIT_DENY


def test_not_action_and_not_resource() -> None:
    but = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"}
    assert outcome("s3:GetObject", "arn:aws:s3:::open/x", but) is Outcome.ALLOWED
    assert outcome("iam:GetRole", "arn:aws:s3:::open/x", but) is Outcome.IMPLICIT_DENY
    assert outcome("s3:GetObject", "arn:aws:s3:::secret/x", but) is Outcome.IMPLICIT_DENY


def test_boundary_and_session_only_take_away() -> None:
    reads = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
    assert outcome("s3:GetObject", "*", ALLOW_ALL, boundary=reads, session=reads) is Outcome.ALLOWED
    assert outcome("s3:PutObject", "*", ALLOW_ALL, boundary=reads) is Outcome.IMPLICIT_DENY
    assert outcome("s3:PutObject", "*", ALLOW_ALL, session=reads) is Outcome.IMPLICIT_DENY
    assert outcome("s3:GetObject", "*", boundary=ALLOW_ALL, session=ALLOW_ALL) is Outcome.IMPLICIT_DENY
    assert outcome("s3:GetObject", "*", ALLOW_ALL, boundary=DENY_ALL) is Outcome.EXPLICIT_DENY


def test_variables_in_resources() -> None:
    mine = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::home/${aws:username}/*"}
    key = {"aws:username": "ann"}
    assert outcome("s3:GetObject", "arn:aws:s3:::home/ann/x", mine, **key) is Outcome.ALLOWED
    assert outcome("s3:GetObject", "arn:aws:s3:::home/bob/x", mine, **key) is Outcome.IMPLICIT_DENY
    assert outcome("s3:GetObject", "arn:aws:s3:::home/${aws:username}/x", mine) is Outcome.IMPLICIT_DENY
    others = {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::home/${aws:username}/*"}
    assert outcome("s3:GetObject", "arn:aws:s3:::x/y", others, **key) is Outcome.ALLOWED
    assert outcome("s3:GetObject", "arn:aws:s3:::home/ann/y", others, **key) is Outcome.IMPLICIT_DENY
    assert outcome("s3:GetObject", "arn:aws:s3:::x/y", others) is Outcome.IMPLICIT_DENY, "nothing to compare with"


def test_keys_that_were_wanted_are_told() -> None:
    asks = {**ALLOW_ALL, "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}}
    decision = evaluate(Request("iam:PassRole", "*", {}), Policies(sources(asks)))
    assert decision.outcome is Outcome.IMPLICIT_DENY
    assert decision.missing == {"iam:passedtoservice"}
    assert decision.because == "because no identity-based policy allows the iam:PassRole action"
    given_ = as_context([("iam:PassedToService", "sagemaker.amazonaws.com")])
    assert evaluate(Request("iam:PassRole", "*", given_), Policies(sources(asks))).allowed


# -- trust -----------------------------------------------------------------------------------------------------

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/path/Caller"
SESSION = Principal(f"arn:aws:sts::{ACCOUNT}:assumed-role/Caller/s", ACCOUNT, ROLE)
USER = Principal(f"arn:aws:iam::{ACCOUNT}:user/ann", ACCOUNT)
ROOT = Principal(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
SAGEMAKER = Principal(service="sagemaker.amazonaws.com")


def trusted(principal: Any, who: Principal, *, condition: Any = None, more: Any = None, **context: str) -> Named:
    one: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if condition is not None:
        one["Condition"] = condition
    text = json.dumps({"Version": "2012-10-17", "Statement": [one, *([more] if more else [])]})
    return trust(compile_document(text), who, "sts:AssumeRole", as_context(context.items()))


def test_services() -> None:
    assert trusted({"Service": "sagemaker.amazonaws.com"}, SAGEMAKER) is Named.ITSELF
    assert trusted({"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]}, SAGEMAKER) is Named.ITSELF
    assert trusted({"Service": "ec2.amazonaws.com"}, SAGEMAKER) is Named.NOT
    assert trusted({"AWS": "sagemaker.amazonaws.com"}, SAGEMAKER) is Named.NOT
    assert trusted({"AWS": ACCOUNT}, SAGEMAKER) is Named.NOT


def test_the_condition_that_keeps_the_deputy_from_confusion() -> None:
    mine = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    service = {"Service": "sagemaker.amazonaws.com"}
    assert trusted(service, SAGEMAKER, condition=mine, **{"aws:SourceAccount": ACCOUNT}) is Named.ITSELF
    assert trusted(service, SAGEMAKER, condition=mine, **{"aws:SourceAccount": "9" * 12}) is Named.NOT
    assert trusted(service, SAGEMAKER, condition=mine) is Named.NOT


def test_accounts_delegate_names_grant() -> None:
    for account in (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "*"):
        assert trusted({"AWS": account}, USER) is Named.BY_ACCOUNT
        assert trusted({"AWS": account}, SESSION) is Named.BY_ACCOUNT
        assert trusted({"AWS": account}, ROOT) is Named.BY_ACCOUNT
    assert trusted({"AWS": [ROLE]}, SESSION) is Named.ITSELF
    assert trusted({"AWS": SESSION.arn}, SESSION) is Named.ITSELF
    assert trusted({"AWS": USER.arn}, USER) is Named.ITSELF
    assert trusted({"AWS": USER.arn}, SESSION) is Named.NOT
    assert trusted({"AWS": "9" * 12}, USER) is Named.NOT
    assert trusted({"Service": "sagemaker.amazonaws.com"}, ROOT) is Named.NOT


def test_federated() -> None:
    provider = Principal(federated="accounts.google.com")
    assert trusted({"Federated": "accounts.google.com"}, provider) is Named.ITSELF
    assert trusted({"Federated": "graph.facebook.com"}, provider) is Named.NOT


def test_a_deny_in_a_trust_policy_wins() -> None:
    deny = {"Effect": "Deny", "Principal": {"AWS": USER.arn}, "Action": "sts:*"}
    assert trusted({"AWS": ACCOUNT}, USER, more=deny) is Named.NOT
    assert trusted({"AWS": ACCOUNT}, SESSION, more=deny) is Named.BY_ACCOUNT
    other = {"Effect": "Deny", "NotPrincipal": {"AWS": USER.arn}, "Action": "sts:AssumeRole"}
    assert trusted({"AWS": ACCOUNT}, USER, more=other) is Named.BY_ACCOUNT
    assert trusted({"AWS": ACCOUNT}, SESSION, more=other) is Named.NOT

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.identity import EXECUTION_ROLE, Identity
from cloche.engines.identity.authorizer import Asked, decide, denied_message
from cloche.engines.identity.policy.validate import MalformedPolicy
from cloche.engines.identity.sessions import Wanted
from cloche.foundation.errors import AlreadyExists, Conflict, Denied, Invalid, LimitReached, NotFound
from cloche.foundation.settings import Settings

ACCOUNT = "123456789012"
SAGEMAKER = "sagemaker.amazonaws.com"


def trust(principal: dict[str, Any], **members: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **members}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def allow(action: str, resource: str = "*", effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


# -- the root and its key --------------------------------------------------------------------------------------


def test_the_roots_key_is_made_once_and_kept_private(
    identity: Identity, database: Any, clock: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = identity.root_credentials()
    file = tmp_path / "keys" / "root.json"
    assert json.loads(file.read_text()) == {
        "AccessKeyId": root.access_key,
        "SecretAccessKey": root.secret_key,
    }
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert root.principal_arn == f"arn:aws:iam::{ACCOUNT}:root"
    assert root.secret_key not in repr(root)
    file.unlink()
    with caplog.at_level(logging.DEBUG):
        again = Identity(database, clock, Settings(tmp_path), tmp_path / "keys")
    assert again.root_credentials() == root
    assert file.exists(), "a lost file is written again"
    assert root.secret_key not in caplog.text


def test_unknown_keys_are_nobodys(identity: Identity) -> None:
    assert identity.credentials("AKIAAAAAAAAAAAAAAAAA") is None
    assert identity.credentials("ASIAAAAAAAAAAAAAAAAA") is None
    assert identity.credentials("") is None


def test_a_first_start_makes_a_role_that_sagemaker_may_use(identity: Identity) -> None:
    role = identity.role(EXECUTION_ROLE)
    assert role is not None
    assert role.arn == f"arn:aws:iam::{ACCOUNT}:role/service-role/{EXECUTION_ROLE}"
    assert identity.role(role.arn) == role
    assert identity.trusts(role.arn, SAGEMAKER)
    assert not identity.trusts(role.arn, "ec2.amazonaws.com")
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{EXECUTION_ROLE}/SageMaker"
    assert identity.authorize(arn, "s3:PutObject", f"arn:aws:s3:::sagemaker-us-east-1-{ACCOUNT}/x").allowed
    assert not identity.authorize(arn, "s3:PutObject", "arn:aws:s3:::somebody-elses/x").allowed


def test_the_role_is_not_made_again_once_deleted(identity: Identity, database: Any, clock: Any, tmp_path: Path) -> None:
    identity.home.holdings.detach("role", EXECUTION_ROLE, "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    identity.home.entities.delete("role", EXECUTION_ROLE)
    again = Identity(database, clock, Settings(tmp_path), tmp_path / "keys")
    assert again.role(EXECUTION_ROLE) is None


# -- users' keys -----------------------------------------------------------------------------------------------


def test_inactive_and_deleted_keys_are_refused_at_once(identity: Identity) -> None:
    identity.home.entities.create_user("ann")
    key, secret = identity.home.keys.create("ann")
    found = identity.credentials(key.access_key)
    assert found is not None and found.secret_key == secret
    assert found.principal_arn == f"arn:aws:iam::{ACCOUNT}:user/ann"
    identity.home.keys.set_active("ann", key.access_key, False)
    assert identity.credentials(key.access_key) is None
    identity.home.keys.set_active("ann", key.access_key, True)
    assert identity.credentials(key.access_key) is not None
    identity.home.keys.delete("ann", key.access_key)
    assert identity.credentials(key.access_key) is None


def test_a_key_that_is_looked_up_all_the_while_is_still_refused_once_deleted(identity: Identity) -> None:
    identity.home.entities.create_user("ann")
    for _ in range(20):
        key, _ = identity.home.keys.create("ann")
        stop = threading.Event()

        def look(access_key: str = key.access_key, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                identity.credentials(access_key)

        lookers = [threading.Thread(target=look) for _ in range(2)]
        for each in lookers:
            each.start()
        identity.home.keys.delete("ann", key.access_key)
        refused = identity.credentials(key.access_key) is None
        stop.set()
        for each in lookers:
            each.join()
        assert refused
        assert identity.credentials(key.access_key) is None


def test_two_keys_at_most_and_a_user_with_keys_stays(identity: Identity) -> None:
    identity.home.entities.create_user("ann")
    first, _ = identity.home.keys.create("ann")
    second, _ = identity.home.keys.create("ann")
    with pytest.raises(LimitReached, match="Cannot exceed quota for AccessKeysPerUser: 2"):
        identity.home.keys.create("ann")
    with pytest.raises(Conflict):
        identity.home.entities.delete("user", "ann")
    with pytest.raises(NotFound):
        identity.home.keys.delete("ann", identity.root_credentials().access_key)
    identity.home.keys.delete("ann", first.access_key)
    identity.home.keys.delete("ann", second.access_key)
    identity.home.entities.delete("user", "ann")


def test_a_deleted_users_session_ends_with_the_user(identity: Identity) -> None:
    identity.home.entities.create_user("ann")
    key, _ = identity.home.keys.create("ann")
    caller = identity.credentials(key.access_key)
    assert caller is not None
    session = identity.home.sessions.of_caller(caller, Wanted())
    assert identity.credentials(session.access_key) == session
    identity.home.keys.delete("ann", key.access_key)
    identity.home.entities.delete("user", "ann")
    assert identity.credentials(session.access_key) is None


# -- temporary credentials -------------------------------------------------------------------------------------


def test_a_jobs_credentials(identity: Identity, clock: Any, database: Any) -> None:
    role = identity.role(EXECUTION_ROLE)
    assert role is not None
    made = identity.job_credentials(role.arn, "SageMaker")
    assert made.access_key.startswith("ASIA") and made.session_token
    assert made.principal_arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/{EXECUTION_ROLE}/SageMaker"
    assert made.user_id == f"{role.id}:SageMaker"
    assert identity.credentials(made.access_key) == made
    assert not made.has_expired(clock.now())
    clock.pass_by(hours=12)
    assert made.has_expired(clock.now())
    assert identity.credentials(made.access_key) == made, "so that it can be told that it expired"
    clock.pass_by(hours=25)
    rows = "SELECT count(*) FROM iam_sessions"
    assert database.reader.execute(rows).fetchone()[0] == 1
    identity.job_credentials(role.arn, "SageMaker")
    assert database.reader.execute(rows).fetchone()[0] == 1, "the old ones are gone"
    assert identity.keys.remove_expired() == 0
    assert identity.credentials(made.access_key) is None
    used = identity.role(EXECUTION_ROLE)
    assert used is not None and used.used_at is not None and used.used_region == "us-east-1"


def test_credentials_survive_a_restart(identity: Identity, database: Any, clock: Any, tmp_path: Path) -> None:
    role = identity.role(EXECUTION_ROLE)
    assert role is not None
    made = identity.job_credentials(role.arn, "SageMaker")
    again = Identity(database, clock, Settings(tmp_path), tmp_path / "keys")
    assert again.credentials(made.access_key) == made


def test_services_get_nothing_of_roles_that_do_not_trust_them(identity: Identity) -> None:
    with pytest.raises(NotFound):
        identity.job_credentials(f"arn:aws:iam::{ACCOUNT}:role/nobody", "SageMaker")
    role = identity.home.entities.create_role("other", trust({"Service": "ec2.amazonaws.com"}))
    with pytest.raises(Denied):
        identity.job_credentials(role.arn, "SageMaker")
    with pytest.raises(NotFound):
        identity.job_credentials(role.arn.replace(ACCOUNT, "9" * 12), "SageMaker")
    assert not identity.trusts(role.arn.upper(), "ec2.amazonaws.com")


def test_source_account_and_source_arn(identity: Identity) -> None:
    condition = {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{ACCOUNT}:training-job/*"},
    }
    role = identity.home.entities.create_role("careful", trust({"Service": SAGEMAKER}, Condition=condition))
    job = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:training-job/x"
    assert identity.trusts(role.arn, SAGEMAKER, source_arn=job)
    assert not identity.trusts(role.arn, SAGEMAKER, source_arn=job.replace("training", "processing"))
    assert not identity.trusts(role.arn, SAGEMAKER)


def caller_named(identity: Identity, user: str) -> Any:
    identity.home.entities.create_user(user)
    key, _ = identity.home.keys.create(user)
    return identity.credentials(key.access_key)


def test_assume_role_evaluates_trust_and_permissions(identity: Identity) -> None:
    ann, bob = caller_named(identity, "ann"), caller_named(identity, "bob")
    named = identity.home.entities.create_role("for-ann", trust({"AWS": ann.principal_arn}))
    assert identity.assume_role(named.arn, "ses", caller=ann).user_id == f"{named.id}:ses"
    with pytest.raises(Denied) as refused:
        identity.assume_role(named.arn, "ses", caller=bob)
    assert refused.value.message == (
        f"User: {bob.principal_arn} is not authorized to perform: sts:AssumeRole on resource: {named.arn}"
    )
    for_all = identity.home.entities.create_role("for-all", trust({"AWS": ACCOUNT}))
    with pytest.raises(Denied):
        identity.assume_role(for_all.arn, "ses", caller=bob)
    identity.home.holdings.put_inline("user", "bob", "may", allow("sts:AssumeRole", for_all.arn))
    assert identity.assume_role(for_all.arn, "ses", caller=bob)
    assert identity.assume_role(for_all.arn, "ses"), "the root may what its account may"
    identity.home.holdings.put_inline("user", "ann", "no", allow("sts:*", effect="Deny"))
    with pytest.raises(Denied):
        identity.assume_role(named.arn, "ses", caller=ann)
    with pytest.raises(Denied):
        identity.assume_role(f"arn:aws:iam::{ACCOUNT}:role/nobody", "ses", caller=bob)


def test_how_long_a_session_may_be(identity: Identity, clock: Any) -> None:
    role = identity.home.entities.create_role("r", trust({"AWS": ACCOUNT}), session_seconds_max=7200)
    made = identity.assume_role(role.arn, "ses", 7200)
    assert made.expires_at is not None and (made.expires_at - clock.now()).total_seconds() == 7200
    with pytest.raises(Invalid, match="exceeds the MaxSessionDuration set for this role"):
        identity.assume_role(role.arn, "ses", 7201)
    identity.home.holdings.put_inline("role", "r", "chain", allow("sts:AssumeRole"))
    with pytest.raises(Invalid, match="1 hour session limit for roles assumed by role chaining"):
        identity.assume_role(role.arn, "ses", 3601, caller=made)
    assert identity.assume_role(role.arn, "ses", 3600, caller=made)
    with pytest.raises(Invalid):
        identity.assume_role(role.arn, "no/slash")


def test_session_policies_bound_the_session_that_has_them(identity: Identity) -> None:
    role = identity.home.entities.create_role("r", trust({"AWS": ACCOUNT}))
    identity.home.holdings.put_inline("role", "r", "all", allow("s3:*"))
    root = identity.root_credentials()
    made = identity.home.sessions.assume(root, role.arn, "ses", Wanted(policies=[allow("s3:Get*")]))
    free = identity.home.sessions.assume(root, role.arn, "ses", Wanted())

    def may(action: str, access_key: str) -> bool:
        return identity.authorize(made.principal_arn, action, "*", access_key=access_key).allowed

    assert may("s3:GetObject", made.access_key)
    assert not may("s3:PutObject", made.access_key)
    assert may("s3:PutObject", free.access_key)
    with pytest.raises(MalformedPolicy):
        identity.home.sessions.assume(root, role.arn, "ses", Wanted(policies=["{}"]))


# -- entities --------------------------------------------------------------------------------------------------


def test_decisions_follow_every_change_at_once(identity: Identity) -> None:
    identity.home.entities.create_user("ann")
    arn = f"arn:aws:iam::{ACCOUNT}:user/ann"

    def may() -> bool:
        return identity.authorize(arn, "s3:GetObject", "*").allowed

    assert not may()
    policy = identity.home.policies.create("reads", allow("s3:Get*"))
    identity.home.holdings.attach("user", "ann", policy.arn)
    assert may()
    identity.home.policies.create_version(policy.arn, allow("s3:Put*"), as_default=True)
    assert not may()
    identity.home.policies.set_default_version(policy.arn, 1)
    assert may()
    identity.home.entities.set_boundary("user", "ann", "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess")
    assert not may()
    identity.home.entities.set_boundary("user", "ann", None)
    assert may()
    identity.home.holdings.detach("user", "ann", policy.arn)
    assert not may()


def test_names_are_unique_in_any_case(identity: Identity) -> None:
    identity.home.entities.create_role("Role", trust({"Service": SAGEMAKER}))
    with pytest.raises(AlreadyExists, match="Role with name rOLE already exists"):
        identity.home.entities.create_role("rOLE", trust({"Service": SAGEMAKER}))
    assert identity.home.entities.role("role").name == "Role"
    identity.home.entities.create_user("role")


def test_what_is_too_long_is_refused(identity: Identity) -> None:
    long = allow("s3:GetObject", "arn:aws:s3:::" + "x" * 7000)
    with pytest.raises(LimitReached, match="Cannot exceed quota for PolicySize: 6144"):
        identity.home.policies.create("p", long)
    with pytest.raises(LimitReached, match="ACLSizePerRole: 2048"):
        identity.home.entities.create_role("r", trust({"Service": ["x" * 2048 + ".amazonaws.com"]}))
    identity.home.entities.create_role("r", trust({"Service": SAGEMAKER}) + " " * 3000)
    identity.home.holdings.put_inline("role", "r", "one", long)
    with pytest.raises(LimitReached, match="Maximum policy size of 10240 bytes exceeded for role r"):
        identity.home.holdings.put_inline("role", "r", "two", long)
    assert identity.home.holdings.inline_names("role", "r", "", 10) == (["one"], None), "the refused one left nothing"


def test_the_root_may_all_and_strangers_nothing(identity: Identity) -> None:
    assert identity.authorize(f"arn:aws:iam::{ACCOUNT}:root", "iam:DeleteRole", "*").allowed
    assert not identity.authorize("arn:aws:iam::999999999999:root", "iam:DeleteRole", "*").allowed
    assert not identity.authorize(f"arn:aws:iam::{ACCOUNT}:user/nobody", "iam:DeleteRole", "*").allowed


def test_the_authorizer_lets_everybody_through_who_signed() -> None:
    asked = Asked(f"arn:aws:iam::{ACCOUNT}:user/ann", "AKIA", False, "s3:GetObject")
    assert decide(asked).allowed
    nobody = Asked("", "", True, "s3:GetObject")
    decision = decide(nobody)
    assert not decision.allowed
    assert denied_message(nobody, decision) == (
        "User: anonymous is not authorized to perform: s3:GetObject on resource: * "
        "because no identity-based policy allows the s3:GetObject action"
    )

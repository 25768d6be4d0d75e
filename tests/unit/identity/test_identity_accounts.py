"""Several accounts over one store, a store of before there were several, and who ends with whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloche.engines.identity import MIGRATIONS, Identity
from cloche.engines.identity.policy.validate import MalformedPolicy
from cloche.engines.identity.sessions import Wanted
from cloche.foundation.errors import AlreadyExists, Denied, Invalid, NotFound
from cloche.foundation.settings import Settings
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

HOME, OTHER = "123456789012", "222222222222"


def trust(principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def test_an_account_is_added_once_and_found_again(
    identity: Identity, database: Any, clock: Any, tmp_path: Path
) -> None:
    made = identity.add_account(OTHER, "other")
    root = identity.root_credentials(OTHER)
    assert root.principal_arn == f"arn:aws:iam::{OTHER}:root"
    assert json.loads((tmp_path / "keys" / f"root-{OTHER}.json").read_text())["AccessKeyId"] == root.access_key
    with pytest.raises(AlreadyExists):
        identity.add_account(OTHER)
    for wrong in ("1", "12345678901x", "١٢٣٤٥٦٧٨٩٠١٢", ""):
        with pytest.raises(Invalid):
            identity.add_account(wrong)
    again = Identity(database, clock, Settings(tmp_path), tmp_path / "keys")
    assert again.root_credentials(OTHER) == root
    assert [each.number for each in again.accounts()] == [HOME, OTHER]
    assert made.name == "other"
    with pytest.raises(NotFound):
        identity.of("999999999999")


def test_what_a_caller_may_ends_at_its_account(identity: Identity) -> None:
    identity.add_account(OTHER)
    assert identity.authorize(f"arn:aws:iam::{OTHER}:root", "iam:DeleteRole", "*").allowed
    identity.of(OTHER).entities.create_user("ann")
    arn = f"arn:aws:iam::{OTHER}:user/ann"
    assert not identity.authorize(arn, "s3:GetObject", "*").allowed
    identity.home.entities.create_user("ann")
    identity.home.holdings.attach("user", "ann", "arn:aws:iam::aws:policy/AdministratorAccess")
    assert not identity.authorize(arn, "s3:GetObject", "*").allowed, "her namesake's policies are not hers"
    assert identity.authorize(f"arn:aws:iam::{HOME}:user/ann", "s3:GetObject", "*").allowed


def test_the_root_of_one_may_assume_what_another_trusts_it_with(identity: Identity) -> None:
    identity.add_account(OTHER)
    role = identity.of(OTHER).entities.create_role("r", trust(HOME))
    made = identity.assume_role(role.arn, "ses")
    assert made.account == OTHER
    assert made.user_id == f"{role.id}:ses"
    own = identity.of(OTHER).entities.create_role("own", trust(OTHER))
    with pytest.raises(Denied):
        identity.assume_role(own.arn, "ses")
    assert identity.assume_role(own.arn, "ses", caller=identity.root_credentials(OTHER))
    assert not identity.trusts(own.arn, "sagemaker.amazonaws.com")
    execution = identity.of(OTHER).entities.role("AmazonSageMaker-ExecutionRole")
    assert identity.trusts(execution.arn, "sagemaker.amazonaws.com", account=OTHER)
    assert not identity.trusts(execution.arn, "sagemaker.amazonaws.com", account=HOME), "not across accounts"


def test_clearing_one_account_leaves_others(identity: Identity) -> None:
    identity.add_account(OTHER)
    for account in (HOME, OTHER):
        mine = identity.of(account)
        mine.entities.create_user("ann")
        mine.entities.create("group", "g")
        mine.entities.add_member("group", "g", "user", "ann")
        policy = mine.policies.create("p", trust(HOME).replace('"Principal"', '"NotPrincipal"'))
        mine.holdings.attach("group", "g", policy.arn)
        mine.set("alias", f"a{account}")
        mine.keys.create("ann")
    session = identity.home.sessions.of_caller(identity.root_credentials(OTHER), Wanted())
    root = identity.root_credentials(OTHER)
    identity.clear_account(OTHER)
    cleared = identity.of(OTHER)
    assert [each.name for each in cleared.entities.all("role")] == ["AmazonSageMaker-ExecutionRole"]
    assert cleared.entities.all("user") == cleared.entities.all("group") == cleared.policies.own() == []
    assert cleared.setting("alias") is None
    assert identity.credentials(root.access_key) == root, "clients go on with the key they have"
    assert identity.credentials(session.access_key) is None
    assert [each.name for each in identity.home.entities.all("user")] == ["ann"]
    with pytest.raises(NotFound):
        identity.clear_account("999999999999")


def test_a_store_of_one_account_becomes_that_accounts(tmp_path: Path, clock: Any) -> None:
    """Rows as the first version wrote them."""
    database = Database(tmp_path / "old.sqlite")
    migrate(database, MIGRATIONS[:1])
    secret = "s" * 40

    def before(tx: Any) -> None:
        user = ("user", "ann", "/p/", "AIDAAAAAAAAAAAAAAAAAA", 1.0, "[]", None, None, None, None, None, None)
        role = (
            "role",
            "r",
            "/",
            "AROAAAAAAAAAAAAAAAAAA",
            1.0,
            '[["a", "b"]]',
            None,
            "d",
            trust(HOME),
            3600,
            None,
            None,
        )
        for row in (user, role):
            tx.execute("INSERT INTO iam_entities VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        tx.execute("INSERT INTO iam_policies VALUES ('p', '/', 'ANPAAAAAAAAAAAAAAAAAA', 1, 1, NULL, '[]', 2, 2)")
        tx.execute("INSERT INTO iam_policy_versions VALUES ('p', 2, ?, 1)", (trust(HOME),))
        tx.execute("INSERT INTO iam_inline_policies VALUES ('role', 'r', 'own', ?)", (trust(HOME),))
        tx.execute("INSERT INTO iam_attachments VALUES ('user', 'ann', ?)", (f"arn:aws:iam::{HOME}:policy/p",))
        tx.execute("INSERT INTO identity_keys VALUES ('AKIAROOT', ?, NULL, 1, 1)", (secret,))
        tx.execute("INSERT INTO identity_keys VALUES ('AKIAANN', ?, 'ann', 1, 1)", (secret,))
        arn = f"arn:aws:sts::{HOME}:assumed-role/r/ses"
        values = ("ASIAOLD", secret, "token", arn, "AROAAAAAAAAAAAAAAAAAA:ses", json.dumps([trust(HOME)]))
        tx.execute("INSERT INTO identity_sessions VALUES (?, ?, ?, ?, ?, ?, 1, 4e9)", values)

    database.write(before)
    migrate(database, MIGRATIONS)
    identity = Identity(database, clock, Settings(tmp_path), tmp_path / "keys")
    home = identity.home
    assert identity.root_credentials().access_key == "AKIAROOT", "the root's key is the same"
    ann = identity.credentials("AKIAANN")
    assert ann is not None and ann.principal_arn == f"arn:aws:iam::{HOME}:user/p/ann" and ann.account == HOME
    assert home.holdings.attached("user", "ann") == [f"arn:aws:iam::{HOME}:policy/p"]
    assert home.policies.version(f"arn:aws:iam::{HOME}:policy/p", 2).is_default
    assert home.entities.role("r").tags == (("a", "b"),)
    assert home.holdings.inline("role", "r", "own") == trust(HOME)
    old = identity.credentials("ASIAOLD")
    assert old is not None and old.session is not None
    assert old.session.owner == "AROAAAAAAAAAAAAAAAAAA" and old.session.policies == (trust(HOME),)
    home.holdings.delete_inline("role", "r", "own")
    home.entities.delete("role", "r")
    assert identity.credentials("ASIAOLD") is None
    database.close()


def test_federation_is_bounded_by_its_policies(identity: Identity) -> None:
    identity.home.entities.create_user("ann")
    identity.home.holdings.attach("user", "ann", "arn:aws:iam::aws:policy/AmazonS3FullAccess")
    key, _ = identity.home.keys.create("ann")
    caller = identity.credentials(key.access_key)
    assert caller is not None
    gets = json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["s3:Get*", "iam:*"], "Resource": "*"}}
    )
    bounded = identity.home.sessions.federated(caller, "guest", Wanted(policies=[gets]))
    bare = identity.home.sessions.federated(caller, "guest", Wanted())

    def may(action: str, access_key: str) -> bool:
        return identity.authorize(bounded.principal_arn, action, "*", access_key=access_key).allowed

    assert may("s3:GetObject", bounded.access_key)
    assert not may("s3:PutObject", bounded.access_key), "the policy does not give it"
    assert not may("iam:GetUser", bounded.access_key), "the user does not have it"
    assert not may("s3:GetObject", bare.access_key), "without a policy nothing"
    with pytest.raises(MalformedPolicy):
        identity.home.sessions.federated(caller, "guest", Wanted(policies=["{}"]))
    identity.home.keys.delete("ann", key.access_key)
    assert identity.credentials(bounded.access_key) is None


def test_older_sessions_are_revoked_by_their_time(identity: Identity, clock: Any) -> None:
    """The policy that AWS's console attaches: AWSRevokeOlderSessions."""
    role = identity.home.entities.create_role("r", trust(HOME))
    identity.home.holdings.attach("role", "r", "arn:aws:iam::aws:policy/AdministratorAccess")
    old = identity.assume_role(role.arn, "ses")
    clock.pass_by(minutes=1)
    revoke = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": ["*"],
                "Resource": ["*"],
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")}},
            }
        ],
    }
    identity.home.holdings.put_inline("role", "r", "AWSRevokeOlderSessions", json.dumps(revoke))
    clock.pass_by(minutes=1)
    new = identity.assume_role(role.arn, "ses")

    def may(access_key: str) -> bool:
        return identity.authorize(old.principal_arn, "s3:GetObject", "*", access_key=access_key).allowed

    assert not may(old.access_key) and may(new.access_key)


NAMES = st.text("abcXYZ", min_size=1, max_size=3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["create", "delete", "rename", "tag"]), st.sampled_from([HOME, OTHER]), NAMES, NAMES),
        max_size=25,
    )
)
def test_users_are_what_was_done_to_them(identity: Identity, steps: list[tuple[str, str, str, str]]) -> None:
    """Against a dictionary by account and name in any case: nothing of one account shows in another."""
    if identity.find(OTHER) is None:
        identity.add_account(OTHER)
    held: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}
    for account in (HOME, OTHER):
        for user in identity.of(account).entities.all("user"):
            identity.of(account).entities.delete("user", user.name)
    for what, account, name, other in steps:
        entities, key = identity.of(account).entities, (account, name.lower())
        try:
            if what == "create":
                entities.create_user(name)
                assert key not in held
                held[key] = (name, {})
            elif what == "delete":
                entities.delete("user", name)
                del held[key]
            elif what == "rename":
                entities.rename("user", name, other, None)
                tags = held.pop(key)[1]
                assert (account, other.lower()) not in held
                held[account, other.lower()] = (other, tags)
            else:
                entities.tag("user", name, ((other, "v"),))
                tags = held[key][1]
                tags.setdefault(next((each for each in tags if each.lower() == other.lower()), other), "v")
        except NotFound:
            assert key not in held
        except AlreadyExists:
            assert (account, (name if what == "create" else other).lower()) in held
    for account in (HOME, OTHER):
        found = {user.name: dict(user.tags) for user in identity.of(account).entities.all("user")}
        assert found == {name: tags for (owner, _), (name, tags) in held.items() if owner == account}

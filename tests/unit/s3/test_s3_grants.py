"""Access control lists by themselves: canned lists, headers, documents, what they grant and how they are told."""

from __future__ import annotations

import pytest

from cloche.aws.errors import AwsError
from cloche.services.s3.access import grants

ME, YOU = "a" * 64, "b" * 64
ALL_READ = ("READ", "group", "AllUsers")


class Known:
    def __init__(self, *, by_email: bool = False) -> None:
        self.by_email = by_email

    def __call__(self, canonical: str) -> bool:
        return canonical in (ME, YOU)


known = Known()


def test_canned_lists() -> None:
    assert grants.canned("private", ME, ME, of_bucket=False) == (("FULL_CONTROL", "id", ME),)
    assert grants.canned("public-read", ME, ME, of_bucket=True)[1:] == (ALL_READ,)
    assert len(grants.canned("public-read-write", ME, ME, of_bucket=True)) == 3
    assert grants.canned("bucket-owner-read", ME, YOU, of_bucket=False)[1:] == (("READ", "id", YOU),)
    assert grants.canned("bucket-owner-full-control", ME, ME, of_bucket=False) == (("FULL_CONTROL", "id", ME),)
    assert len(grants.canned("log-delivery-write", ME, ME, of_bucket=True)) == 3
    for name, of_bucket in (("log-delivery-write", False), ("public", True), ("", False)):
        with pytest.raises(AwsError, match="InvalidArgument"):
            grants.canned(name, ME, ME, of_bucket=of_bucket)


def test_headers_with_several_grantees() -> None:
    group = grants.GROUPS["AllUsers"]
    given = grants.from_headers({"GrantRead": f'id="{ME}", uri="{group}"', "GrantWriteACP": f"id={YOU}"}, known)
    assert given == (("READ", "id", ME), ALL_READ, ("WRITE_ACP", "id", YOU))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("nobody", "InvalidArgument"),
        ('id="unknown"', "InvalidArgument"),
        ('uri="http://example.com/group"', "InvalidArgument"),
        (f'id="{ME}" id="{YOU}"', "InvalidArgument"),
        ('emailAddress="me@example.com"', "MethodNotAllowed"),
    ],
)
def test_headers_that_are_wrong(value: str, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        grants.from_headers({"GrantRead": value}, known)
    assert refused.value.code == code


def test_documents() -> None:
    def grant(**grantee: str) -> dict[str, object]:
        return {"Grantee": grantee, "Permission": "READ"}

    policy = {"Grants": [grant(Type="CanonicalUser", ID=YOU), grant(Type="Group", URI=grants.GROUPS["AllUsers"])]}
    assert grants.from_document(policy, known) == (("READ", "id", YOU), ALL_READ)
    for wrong, code in (
        (grant(Type="CanonicalUser", ID="x"), "InvalidArgument"),
        (grant(Type="CanonicalUser"), "MalformedACLError"),
        (grant(Type="Stranger", ID=YOU), "MalformedACLError"),
        ({"Grantee": {"Type": "CanonicalUser", "ID": YOU}, "Permission": "LOOK"}, "MalformedACLError"),
        (grant(Type="AmazonCustomerByEmail", EmailAddress="me@example.com"), "MethodNotAllowed"),
    ):
        with pytest.raises(AwsError) as refused:
            grants.from_document({"Grants": [wrong]}, known)
        assert refused.value.code == code


def test_what_a_list_grants() -> None:
    def may(
        acl: tuple[grants.Grant, ...], permission: str, *, asker: str = YOU, signed: bool = True, **how: bool
    ) -> bool:
        return grants.allows(acl, ME, asker, permission, signed=signed, public_counts=how.get("public_counts", True))

    assert may((), "READ", asker=ME)
    assert not may((), "READ")
    assert may((ALL_READ,), "READ", signed=False)
    assert not may((ALL_READ,), "WRITE")
    assert not may((ALL_READ,), "READ", public_counts=False)
    assert may((("READ", "group", "AuthenticatedUsers"),), "READ")
    assert not may((("READ", "group", "AuthenticatedUsers"),), "READ", signed=False)
    assert may((("FULL_CONTROL", "id", YOU),), "WRITE_ACP")
    assert not may((("FULL_CONTROL", "id", YOU),), "READ", signed=False)
    assert not may((("FULL_CONTROL", "none", ME),), "READ", asker=ME)
    assert not may((("READ", "group", "LogDelivery"),), "READ")


def test_how_a_list_is_told() -> None:
    shown = grants.view((ALL_READ, ("READ", "id", YOU)), ME, lambda canonical: {"ID": canonical})
    assert [grant["Grantee"]["Type"] for grant in shown] == ["Group", "CanonicalUser"]
    assert grants.view((), ME, lambda canonical: {"ID": canonical})[0]["Permission"] == "FULL_CONTROL"
    assert grants.view((("FULL_CONTROL", "none", ME),), ME, lambda canonical: {"ID": canonical}) == []


def test_by_email_as_it_was() -> None:
    """Until October 2025 an address was looked up; no account here has one."""
    with pytest.raises(AwsError, match="UnresolvableGrantByEmailAddress") as caught:
        grants.from_headers({"GrantRead": 'emailAddress="me@example.com"'}, Known(by_email=True))
    assert caught.value.status == 400

"""May this caller do this? S3's decision, for every request, in one place.

In order: a bucket policy's explicit deny holds for everybody (but a locked-out account's root may always read, put
and delete the policy itself). Who signed for the account that owns the thing is let through, as everywhere in Cloche
until identity policies are enforced (``engines/identity/authorizer``). Everybody else, another account or nobody,
needs a grant: of the bucket policy, for the bucket and for objects that the bucket's owner owns; or of the ACL of the
bucket or object, where ACLs count. Public grants count only where no public-access block takes them away.

Sources: docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html,
…/access-control-auth-workflow-object-operation.html, …/about-object-ownership.html,
…/access-control-block-public-access.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import unquote

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.engines.identity.policy import Outcome, Principal, Request
from cloche.engines.identity.policy.resource import evaluate_resource_policy
from cloche.services.parts import Parts
from cloche.services.s3.access import grants
from cloche.services.s3.access.actions import BUCKET_PERMISSIONS, OBJECT_PERMISSIONS, WRITING, actions_of
from cloche.services.s3.access.condition_keys import keys_of_object, keys_of_request
from cloche.services.s3.access.made import gives_owner_all
from cloche.services.s3.access.owners import (
    account_of_id,
    acls_count,
    canonical_id,
    object_owner,
    who,
)
from cloche.services.s3.access.policy_document import canonical_ids_in, compiled
from cloche.services.s3.access.public_access import is_public_policy, switch
from cloche.services.s3.access.regions import check_region
from cloche.services.s3.errors import s3_error
from cloche.storage.objects import Bucket, BucketNotFound, ObjectInfo, StoreError

_UNBOUND: Final = ("ListBuckets", "CreateBucket", "ListDirectoryBuckets")
"""About no bucket that is there: for everybody who signed."""
_REPAIRS: Final = ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy")
"""docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html: "the root principal in a bucket owner's AWS
account can perform … even if their bucket policy explicitly denies the root principal's access"."""
_WRITES_WHAT_MAY_EXIST: Final = ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload")
_TAGS: Final = frozenset(
    f"s3:{verb}Object{version}Tagging" for verb in ("Get", "Put", "Delete") for version in ("", "Version")
)
"""API_GetObjectTagging.html, API_PutObjectTagging.html: "By default, the bucket owner has this permission and can grant
this permission to others", whosever the object is."""
_BY_KEY: Final = ("DeleteObjects",)
"""Decided key by key, in the handler."""


def authorize(ctx: Context, operation: str, request: Members) -> None:
    """Raises AccessDenied (403), and what an address in another region is answered. A bucket that is not there is
    for the handler to miss."""
    if "Bucket" not in request or operation in _UNBOUND:
        if ctx.caller.anonymous:
            raise s3_error("AccessDenied")
        return
    try:
        bucket = cast(Parts, ctx.parts).objects.buckets.get(request["Bucket"])
    except BucketNotFound:
        return
    check_region(ctx, operation, bucket)
    if operation in _BY_KEY:
        return
    access = Access(ctx, bucket, request, operation in WRITING)
    if bucket.configuration.get("RequestPayment") == "Requester" and not access.is_owners:
        _require_payer(ctx, request)
    if operation in _REPAIRS:
        # AWS answers 405 to other accounts' principals that may do it, whatever the policy says.
        if access.is_owners and ctx.caller.arn.endswith(":root"):
            return
        if not access.is_owners and not ctx.caller.anonymous and access.allowed(actions_of(operation, request)[0], ""):
            raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
    if not access.is_beyond_question:
        for action in _actions(access, operation):
            access.require(action, request.get("Key"))
    source = request.get("CopySource")
    if source and isinstance(source, str):
        _authorize_source(ctx, request, source)


def may(ctx: Context, bucket: Bucket, action: str, key: str, version: str = "") -> bool:
    """The decision about one key of several (``DeleteObjects``)."""
    return Access(ctx, bucket, {"Bucket": bucket.name, "Key": key, "VersionId": version}).allowed(action, key)


def _actions(access: Access, operation: str) -> tuple[str, ...]:
    actions = actions_of(operation, access.request)
    if access.writing and gives_owner_all(access.ctx, access.request, access.bucket):
        # docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html, "Granting s3:PutObject permission
        # with a condition requiring the bucket owner to get full control": s3:PutObject alone is enough for that.
        return tuple(action for action in actions if action != "s3:PutObjectAcl")
    return actions


def _require_payer(ctx: Context, request: Members) -> None:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html: nobody unknown, and who says he pays."""
    if ctx.caller.anonymous or request.get("RequestPayer") != "requester":
        raise s3_error("AccessDenied")


def _authorize_source(ctx: Context, request: Members, source: str) -> None:
    path, _, version = source.partition("?versionId=")
    name, _, key = unquote(path.removeprefix("/"), errors="replace").partition("/")
    try:
        bucket = cast(Parts, ctx.parts).objects.buckets.get(name)
    except BucketNotFound:
        return
    read = {"Bucket": name, "Key": key, "VersionId": version, "CopySource": None}
    Access(ctx, bucket, read).require("s3:GetObjectVersion" if version else "s3:GetObject", key)


@dataclass(slots=True)
class Access:
    """One caller at one bucket, for one request."""

    ctx: Context
    bucket: Bucket
    request: Members
    writing: bool = False
    """Is an object being made? Then what is said of it besides (its ACL, its tags) is of the new one."""
    _infos: dict[str, ObjectInfo | None] = field(default_factory=dict)

    @property
    def is_owners(self) -> bool:
        """Did somebody of the bucket owner's account sign?"""
        return not self.ctx.caller.anonymous and self.ctx.caller.account == self.bucket.account

    @property
    def is_beyond_question(self) -> bool:
        """Owners' people, no policy that could deny, no lists: then ``allowed`` says yes to whatever they do."""
        return self.is_owners and "Policy" not in self.bucket.configuration and not acls_count(self.bucket)

    def require(self, action: str, key: str | None) -> None:
        """Raises AccessDenied. Whether a key that is read is there is for those to know who may list it
        (API_GetObject.html: with s3:ListBucket a missing key is 404, without it 403)."""
        reads = not self.is_owners and not self.writing and bool(key) and action in OBJECT_PERMISSIONS
        if reads and self._info(key or "") is None:
            lists = Access(self.ctx, self.bucket, {"Prefix": key}).allowed("s3:ListBucket", "")
            allowed = lists and self._said(action, key or "", None) is not Outcome.EXPLICIT_DENY
        else:
            allowed = self.allowed(action, key or "")
        if not allowed:
            raise s3_error("AccessDenied")

    def allowed(self, action: str, key: str) -> bool:
        text = str(self.bucket.configuration.get("Policy") or "")
        info = self._info(key) if key and (text or acls_count(self.bucket) or not self.is_owners) else None
        owner = object_owner(self.bucket, info.details.owner) if info is not None else self.bucket.account
        said = self._said(action, key, info)
        if said is Outcome.EXPLICIT_DENY:
            return False
        writes = self.writing or action in _WRITES_WHAT_MAY_EXIST
        owners = owner == self.bucket.account or action in _TAGS
        if self.is_owners and (owners or writes or not key):
            return True
        if said is Outcome.ALLOWED and (owners or writes) and self._policy_counts(text):
            return True
        if info is not None and not self.ctx.caller.anonymous and owner == who(self.ctx) and not writes:
            return True
        return acls_count(self.bucket) and self._listed(action, key, info, owner, writes)

    def _said(self, action: str, key: str, info: ObjectInfo | None) -> Outcome:
        text = str(self.bucket.configuration.get("Policy") or "")
        return self._policy(text, action, key, info) if text else Outcome.IMPLICIT_DENY

    # -- the policy ----------------------------------------------------------------------------------------

    def _policy(self, text: str, action: str, key: str, info: ObjectInfo | None) -> Outcome:
        resource = f"arn:aws:s3:::{self.bucket.name}" + (f"/{key}" if key else "")
        ids = tuple((each, account_of_id(self.ctx, each)) for each in canonical_ids_in(text))
        principal, keys = self._asker()
        context = {**keys, **keys_of_request(self.ctx, self.request, self.bucket.account)}
        if info is not None:
            context.update(keys_of_object(info.details.tags))
        return evaluate_resource_policy(compiled(text, ids), principal, Request(action, resource, context))

    def _asker(self) -> tuple[Principal, dict[str, Sequence[str]]]:
        caller = self.ctx.caller
        if caller.anonymous:
            return Principal(), {"aws:principaltype": ("Anonymous",), "aws:userid": ("anonymous",)}
        return cast(Parts, self.ctx.parts).identity.asker(caller.account, caller.arn, caller.access_key)

    def _policy_counts(self, text: str) -> bool:
        """RestrictPublicBuckets: a public policy grants nothing beyond the account."""
        if not is_public_policy(text):
            return True
        store = cast(Parts, self.ctx.parts).objects
        return self.is_owners or not switch(store, self.bucket, "RestrictPublicBuckets")

    # -- the lists -----------------------------------------------------------------------------------------

    def _listed(self, action: str, key: str, info: ObjectInfo | None, owner: str, writes: bool) -> bool:
        store = cast(Parts, self.ctx.parts).objects
        asker, signed = canonical_id(store, who(self.ctx)), not self.ctx.caller.anonymous
        counts = not switch(store, self.bucket, "IgnorePublicAcls")

        def granted(acl: Sequence[Sequence[str]], owned_by: str, permission: str) -> bool:
            owned_as = canonical_id(store, owned_by)
            return grants.allows(acl, owned_as, asker, permission, signed=signed, public_counts=counts)

        of_bucket = self.bucket.configuration.get("Acl", ())
        if writes:
            return granted(of_bucket, self.bucket.account, "WRITE")
        if key and (permission := OBJECT_PERMISSIONS.get(action)) is not None:
            if info is None:  # nothing to read: who may list may know
                return granted(of_bucket, self.bucket.account, "READ")
            return granted(info.details.acl, owner, permission)
        permission = BUCKET_PERMISSIONS.get(action)
        return permission is not None and granted(of_bucket, self.bucket.account, permission)

    def _info(self, key: str) -> ObjectInfo | None:
        if key not in self._infos:
            try:
                store = cast(Parts, self.ctx.parts).objects
                self._infos[key] = store.head(self.bucket.name, key, self.request.get("VersionId") or "")
            except StoreError:
                self._infos[key] = None
        return self._infos[key]

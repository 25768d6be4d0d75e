"""Which policies apply to whom, gathered once and kept until something in IAM changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cloche.engines.identity import words
from cloche.engines.identity.entities import Credentials, Entity, Kind, Role
from cloche.engines.identity.entity_table import EntityTable
from cloche.engines.identity.holdings import Holdings
from cloche.engines.identity.ledger import Ledger
from cloche.engines.identity.managed import PREFIX
from cloche.engines.identity.policy import Policies, Principal, Source, compile_document
from cloche.engines.identity.policy_table import PolicyTable
from cloche.foundation.clock import from_epoch, to_iso

REMEMBERED_MAX: Final = 4096
ALL: Final = Source(
    "root",
    "none",
    compile_document('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'),
)
"""What a root may, as a document."""
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Known:
    """A principal, whose policies apply to it (none to a root: ``kind`` is ``None``), and what follows from it."""

    principal: Principal
    kind: Kind | None
    name: str
    keys: Mapping[str, tuple[str, ...]]


class Rights:
    def __init__(self, ledger: Ledger, entities: EntityTable, policies: PolicyTable, holdings: Holdings) -> None:
        self._ledger = ledger
        self._entities = entities
        self._policies = policies
        self._holdings = holdings
        self._remembered: dict[tuple[Kind, str], Policies] = {}
        self._known: dict[str, Known] = {}
        self._generation = 0

    def forget(self) -> None:
        self._generation += 1
        self._remembered = {}
        self._known = {}

    def of(self, kind: Kind, name: str) -> Policies:
        """What ``name`` may do. Nothing, for one who is not there."""
        found = self._remembered.get((kind, name))
        if found is not None:
            return found
        generation, remembered = self._generation, self._remembered
        entity = self._entities.find(kind, name)
        found = Policies() if entity is None else self._gather(entity)
        if generation == self._generation:
            _remember(remembered, (kind, name), found)
        return found

    def _gather(self, entity: Entity) -> Policies:
        """Its own policies; a user has those of its groups too."""
        sources: list[Source] = []
        for holder in [entity, *(self._entities.holders(entity) if entity.kind == "user" else ())]:
            sources += [
                Source(f"{holder.kind}_{holder.name}_{name}", holder.kind, compile_document(document))
                for name, document in self._holdings.inline_documents(holder)
            ]
            sources += self.managed(self._holdings.attached_to(holder))
        boundary = None if entity.boundary is None else self.managed([entity.boundary])
        return Policies(tuple(sources), boundary)

    def managed(self, arns: Iterable[str]) -> tuple[Source, ...]:
        """The default versions of those policies; one that is not there is left out."""
        found = []
        for arn in arns:
            document = self._policies.document(arn)
            if document is not None:
                kind = "aws-managed" if arn.startswith(PREFIX) else "user-managed"
                found.append(Source(arn.rpartition("/")[2], kind, compile_document(document)))
        return tuple(found)

    def document(self, arn: str) -> str:
        """The default version of a managed policy. Raises ``NotFound``."""
        found = self._policies.document(arn)
        if found is None:
            raise words.not_attachable(arn)
        return found

    # -- principals ----------------------------------------------------------------------------------------

    def of_caller(self, arn: str, credentials: Credentials | None = None) -> Policies:
        """What a caller of this account may: its own permissions, within what its ``credentials`` are bound to.

        A session has the permissions of the role or user that it came from; a root may everything; nobody nothing.
        """
        session = None if credentials is None else credentials.session
        known = self.known(arn)
        if session is not None and session.owner is not None:
            entity = self._entities.by_id(session.owner)
            found = Policies() if entity is None else self.of(entity.kind, entity.name)
        elif known.kind is not None:
            found = self.of(known.kind, known.name)
        else:
            root = f"arn:aws:iam::{self._ledger.account}:root"
            federated_by_root = session is not None and ":federated-user/" in arn
            found = Policies((ALL,)) if arn == root or federated_by_root else Policies()
        if session is None or session.policies is None:
            return found
        bounds = tuple(
            Source(f"SessionPolicy.{number}", "none", compile_document(each))
            for number, each in enumerate(session.policies, 1)
        )
        return Policies(found.identity, found.boundary, bounds)

    def known(self, arn: str) -> Known:
        """Who ``arn`` is. It need not be there: then it has no policies and no tags."""
        found = self._known.get(arn)
        if found is None:
            generation, remembered = self._generation, self._known
            found = self._learn(arn)
            if generation == self._generation:
                _remember(remembered, arn, found)
        return found

    def _learn(self, arn: str) -> Known:
        kind: Kind | None = None
        account = self._ledger.account
        resource, _, rest = arn.rpartition(":")[2].partition("/")
        name, role_arn, session, kind_name = "", "", "", "Account"
        if ":sts:" in arn and resource == "assumed-role":
            name, _, session = rest.partition("/")
            kind, kind_name = "role", "AssumedRole"
        elif ":sts:" in arn and resource == "federated-user":
            kind_name = "FederatedUser"
        elif resource in ("role", "user"):
            name = rest.rpartition("/")[2]
            kind, kind_name = ("role", "AssumedRole") if resource == "role" else ("user", "User")
        entity = None if kind is None else self._entities.find(kind, name)
        if kind == "role":
            # A session's ARN has its role's name without the path, so only the role itself can tell its ARN.
            role_arn = arn if resource == "role" else "" if entity is None else entity.arn
        principal = Principal(arn, account, role_arn)
        keys = {
            "aws:principalarn": role_arn or arn,
            "aws:principalaccount": account,
            "aws:principaltype": kind_name,
            "aws:principalisawsservice": "false",
        }
        if kind == "user":
            keys["aws:username"] = name
        if resource == "federated-user":
            keys["aws:userid"] = f"{account}:{rest}"
        elif kind is None:
            keys["aws:userid"] = account
        if entity is not None:
            keys["aws:userid"] = f"{entity.id}:{session}" if session else entity.id
            keys.update({f"aws:principaltag/{key.lower()}": value for key, value in entity.tags})
        return Known(principal, kind, name, {key: (value,) for key, value in keys.items()})

    def context(self, arn: str, credentials: Credentials | None = None) -> dict[str, Sequence[str]]:
        """The global condition keys that follow from who asks, with what and when
        (docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html)."""
        now = int(self._ledger.clock.time())
        keys: dict[str, Sequence[str]] = dict(self.known(arn).keys)
        keys["aws:currenttime"] = keys["aws:epochtime"] = (str(now),)
        session = None if credentials is None else credentials.session
        if session is None:
            return keys
        keys.update({f"aws:principaltag/{key.lower()}": (value,) for key, value in session.tags})
        keys.update({key.lower(): (value,) for key, value in session.keys.items()})
        keys["aws:tokenissuetime"] = (to_iso(from_epoch(session.issued_at)),)
        keys["aws:multifactorauthpresent"] = ("false" if session.mfa_at is None else "true",)
        if session.mfa_at is not None:
            keys["aws:multifactorauthage"] = (str(max(int(now - session.mfa_at), 0)),)
        if session.source_identity:
            keys["aws:sourceidentity"] = (session.source_identity,)
        return keys

    def role_of(self, arn: str) -> Role | None:
        """The role with exactly this ARN."""
        found = self._entities.find("role", arn.rpartition("/")[2])
        return found if isinstance(found, Role) and found.arn == arn else None


def _remember(remembered: dict[K, V], key: K, value: V) -> None:
    if len(remembered) >= REMEMBERED_MAX:
        remembered.clear()
    remembered[key] = value

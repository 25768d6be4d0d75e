"""Entities as they are put down by those who follow what happens: made where they are not, kept where they are.

Putting the same twice changes nothing, so whoever is told of a thing again may tell it again. What users have written
to an entity stays: putting adds to it and replaces only what was put before.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cloche.engines.lineage import edges
from cloche.engines.lineage.vertices import ACTION, ARTIFACT, COMPONENT, CONTEXT, end_of
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

Versions = tuple[tuple[str, str], ...]
"""(kind of identifier, value): ``("S3ETag", "9b2c…")``."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose entities are put down, and when."""

    account: str
    region: str
    at: float


@dataclass(frozen=True, slots=True)
class Artifact:
    uri: str
    type: str
    name: str = ""
    versions: Versions = ()
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    type: str
    source_uri: str
    status: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    name: str
    type: str
    source_uri: str
    source_id: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Component:
    """A job's trial component. ``members`` are those of the component's description; of parameters and artifacts each
    is kept beside what is there."""

    name: str
    source_arn: str
    source_type: str
    members: Mapping[str, Any]
    run_name: str = ""


Entity = Artifact | Action | Context | Component


@dataclass(frozen=True, slots=True)
class Link:
    source: Entity
    destination: Entity
    kind: str


def artifact_name(uri: str, versions: Versions) -> str:
    """What an artifact is filed under: 32 hexadecimal digits of its address and versions, which are what it is."""
    return hashlib.sha256(orjson.dumps([uri, sorted(versions)])).hexdigest()[:32]


class Putting:
    """What one teller tells, put down: an entity that many of its links name is put once."""

    def __init__(self, tx: sqlite3.Connection, owner: Owner) -> None:
        self._tx = tx
        self._owner = owner
        self._put: dict[int, tuple[Entity, Record]] = {}
        """By the entity's own identity; it is kept with it, so that no other gets its number."""

    def link(self, link: Link) -> None:
        owner, source, destination = self._owner, self.entity(link.source), self.entity(link.destination)
        edges.put(self._tx, owner.account, owner.region, end_of(source), end_of(destination), link.kind, owner.at)

    def entity(self, entity: Entity) -> Record:
        known = self._put.get(id(entity))
        if known is None:
            known = self._put[id(entity)] = (entity, _put(self._tx, self._owner, entity))
        return known[1]


def _put(tx: sqlite3.Connection, owner: Owner, entity: Entity) -> Record:
    if isinstance(entity, Artifact):
        return _put_artifact(tx, owner, entity)
    if isinstance(entity, Component):
        return _put_component(tx, owner, entity)
    return _put_named(tx, owner, entity)


def _put_artifact(tx: sqlite3.Connection, owner: Owner, artifact: Artifact) -> Record:
    name = artifact_name(artifact.uri, artifact.versions)
    held = records.find(tx, owner.account, owner.region, ARTIFACT, name)
    if held is not None:
        return held
    source: dict[str, Any] = {"SourceUri": artifact.uri}
    if artifact.versions:
        source["SourceTypes"] = [{"SourceIdType": kind, "Value": value} for kind, value in artifact.versions]
    request: dict[str, Any] = {"Source": source, "ArtifactType": artifact.type}
    if artifact.name:
        request["ArtifactName"] = artifact.name
    if artifact.properties:
        request["Properties"] = dict(artifact.properties)
    return _insert(tx, owner, ARTIFACT, "artifact", name, request)


def _put_named(tx: sqlite3.Connection, owner: Owner, entity: Action | Context) -> Record:
    is_action = isinstance(entity, Action)
    kind, noun = (ACTION, "Action") if is_action else (CONTEXT, "Context")
    source = {"SourceUri": entity.source_uri, "SourceType": "ARN"}
    if isinstance(entity, Context) and entity.source_id:
        source["SourceId"] = entity.source_id
    put_down: dict[str, Any] = {f"{noun}Name": entity.name, "Source": source, f"{noun}Type": entity.type}
    if isinstance(entity, Action):
        put_down["Status"] = entity.status
    held = records.find(tx, owner.account, owner.region, kind, entity.name)
    properties = {**(held.request.get("Properties") or {} if held else {}), **entity.properties}
    if properties:
        put_down["Properties"] = properties
    if held is None:
        return _insert(tx, owner, kind, noun.lower(), entity.name, put_down)
    return _replace(tx, owner, held, {**held.request, **put_down})


def _put_component(tx: sqlite3.Connection, owner: Owner, component: Component) -> Record:
    """Under the job's name in small letters, as AWS files them; under the name as it is where that belongs to
    another job, of a name that differs by letters' size alone."""
    name = component.name.lower()
    held = records.find(tx, owner.account, owner.region, COMPONENT, name)
    if held is not None and (held.state.get("source") or {}).get("SourceArn") != component.source_arn:
        name = component.name
        held = records.find(tx, owner.account, owner.region, COMPONENT, name)
    if held is None:
        request = {"TrialComponentName": name, **component.members}
        record = _insert(tx, owner, COMPONENT, "experiment-trial-component", name, request)
        state: dict[str, Any] = {"source": {"SourceArn": component.source_arn, "SourceType": component.source_type}}
        if component.run_name:
            state["run_name"] = component.run_name
        records.set_status(tx, record.arn, state=state)
        return records.find_arn(tx, record.arn) or record
    merged = {**held.request, **component.members}
    merged["DisplayName"] = held.request.get("DisplayName", merged.get("DisplayName"))  # users may have changed it
    for member in ("Parameters", "InputArtifacts", "OutputArtifacts"):
        if member in held.request or member in component.members:
            merged[member] = {**(held.request.get(member) or {}), **(component.members.get(member) or {})}
    return _replace(tx, owner, held, merged)


def _insert(
    tx: sqlite3.Connection, owner: Owner, kind: str, segment: str, name: str, request: dict[str, Any]
) -> Record:
    return records.insert(
        tx,
        account=owner.account,
        region=owner.region,
        kind=kind,
        name=name,
        arn=f"arn:aws:sagemaker:{owner.region}:{owner.account}:{segment}/{name}",
        at=owner.at,
        request=request,
    )


def _replace(tx: sqlite3.Connection, owner: Owner, held: Record, request: dict[str, Any]) -> Record:
    if request == held.request:
        return held
    records.replace_request(tx, held.arn, request, max(owner.at, held.modified_at))
    return records.find_arn(tx, held.arn) or held

"""What deployments say to the graph, from records alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.lineage.entities import Action, Context, Link
from cloche.server.lineage_following import follow
from cloche.server.wiring import MIGRATIONS
from cloche.services.sagemaker.lineage.model_tellers import endpoint, inference_component
from cloche.services.sagemaker.lineage.tellers import RECORDING
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metadata.records import Record


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "cloche.db")
    migrate(made, MIGRATIONS)
    yield made
    made.close()


def put(database: Database, noun: str, name: str, **request: Any) -> Record:
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:{noun.lower()}/{name}"
    given = {"kind": f"sagemaker/{noun}", "name": name, "arn": arn, "at": 1764000000.0, "request": request}
    return database.write(lambda tx: records.insert(tx, account="123456789012", region="us-east-1", **given))


def links(found: Iterator[Any]) -> set[tuple[str, str, str]]:
    def name(entity: Any) -> str:
        return entity.name if isinstance(entity, (Action, Context)) else entity.uri

    return {(name(each.source), name(each.destination), each.kind) for each in found if isinstance(each, Link)}


def test_an_endpoint_of_two_variants_with_a_package_behind_one(database: Database) -> None:
    put(database, "Model", "plain", PrimaryContainer={"Image": "image", "ModelDataUrl": "s3://a"})
    package = "arn:aws:sagemaker:us-east-1:123456789012:model-package/g/1"
    put(
        database,
        "Model",
        "packed",
        Containers=[{"Image": "image", "ModelDataUrl": "s3://b", "ModelPackageName": package}],
    )
    variants = [{"ModelName": name} for name in ("plain", "packed", "plain", "gone")]
    put(database, "EndpointConfig", "config", ProductionVariants=variants)
    record = put(database, "Endpoint", "served", EndpointConfigName="config")
    deployed, place = "served-config-1764000000-aws-model-deployment", "served-1764000000-aws-endpoint"
    assert links(endpoint(database.reader, record)) == {
        (deployed, place, "AssociatedWith"),
        *((uri, deployed, "ContributedTo") for uri in ("image", "s3://a", "s3://b", package)),
    }


def test_components_deploy_onto_their_endpoint(database: Database) -> None:
    put(database, "Model", "plain", PrimaryContainer={"Image": "image", "ModelDataUrl": "s3://a"})
    put(database, "Endpoint", "shared", EndpointConfigName="config")
    place = "shared-1764000000-aws-endpoint"
    own = {"Container": {"Image": "other", "ArtifactUrl": "s3://c"}}
    for name, specification, used in (
        ("of-model", {"ModelName": "plain"}, ("image", "s3://a")),
        ("of-its-own", own, ("other", "s3://c")),
        ("of-nothing", {"ModelName": "gone"}, ()),
    ):
        record = put(database, "InferenceComponent", name, EndpointName="shared", Specification=specification)
        deployed = f"{name}-1764000000-aws-model-deployment"
        assert links(inference_component(database.reader, record)) == {
            (deployed, place, "AssociatedWith"),
            *((uri, deployed, "ContributedTo") for uri in used),
        }


def test_long_names_are_cut_to_what_an_entity_may_be_called(database: Database) -> None:
    put(database, "EndpointConfig", "c" * 63, ProductionVariants=[])
    record = put(database, "Endpoint", "e" * 63, EndpointConfigName="c" * 63)
    names = {name for link in links(endpoint(database.reader, record)) for name in link[:2]}
    assert all(len(name) <= 120 for name in names)
    assert any(name.endswith("-1764000000-aws-model-deployment") for name in names)


def test_everything_of_sagemaker_is_followed_and_nothing_else_is_touched(database: Database) -> None:
    """Every noun that a teller is for is one that Cloche makes, and a change of another service costs nothing."""
    from cloche.server.dispatch import Dispatch

    offered = Dispatch().offered("sagemaker")
    assert offered is not None
    assert {kind.removeprefix("sagemaker/") for kind in RECORDING.tellers} <= {
        name.removeprefix("Create") for name in offered.operations
    }
    database.write(lambda tx: follow(tx, []))

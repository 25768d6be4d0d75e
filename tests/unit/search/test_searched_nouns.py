"""Every noun that search's model names and Cloche makes is searched, and each of its properties becomes valid SQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloche.aws.model.load import service_model
from cloche.foundation.errors import NotSupported
from cloche.server.dispatch import Dispatch
from cloche.server.wiring import MIGRATIONS
from cloche.services.sagemaker.search.conditions import where
from cloche.services.sagemaker.search.resources import resources
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

CREATED_AS = {"ExperimentTrial": "Trial", "ExperimentTrialComponent": "TrialComponent"}
OTHERWISE = {"PipelineExecution": "StartPipelineExecution", "PipelineVersion": "UpdatePipeline"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("search")
    database = Database(path / "cloche.db")
    migrate(database, MIGRATIONS)
    yield database
    database.close()


def test_what_can_be_made_can_be_searched() -> None:
    offered = Dispatch().offered("sagemaker")
    assert offered is not None
    kinds = service_model("sagemaker").shape_for("ResourceType").enum
    made = {kind for kind in kinds if OTHERWISE.get(kind, f"Create{CREATED_AS.get(kind, kind)}") in offered.operations}
    assert set(resources()) == made


@pytest.mark.parametrize("kind", sorted(resources()))
def test_every_property_reads_records(database: Database, kind: str) -> None:
    searched = resources()[kind]
    asked = refused = 0
    for name in dict.fromkeys([*searched.shape.members, *searched.resolver.places]):
        try:
            condition, arguments = where(searched.resolver, {"Filters": [{"Name": name, "Operator": "Exists"}]})
        except NotSupported:
            refused += 1
            continue
        except Exception as error:
            assert name in searched.resolver.keyed, (name, error)  # a name of its own must follow
            continue
        database.reader.execute(f"SELECT count(*) FROM records WHERE {condition}", arguments)
        asked += 1
    for name in searched.resolver.keyed:
        condition, arguments = where(searched.resolver, {"Filters": [{"Name": f"{name}.x", "Operator": "Exists"}]})
        database.reader.execute(f"SELECT count(*) FROM records WHERE {condition}", arguments)
    assert asked >= 5, (asked, refused)

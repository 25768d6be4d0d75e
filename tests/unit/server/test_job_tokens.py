"""A job's token gives the keys of its role, in the form the SDKs read; a wrong or old one gives nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.credentials import ContainerProvider

from cloche.engines.identity import EXECUTION_ROLE, MIGRATIONS, Identity
from cloche.foundation.clock import SystemClock
from cloche.foundation.settings import Settings
from cloche.server import job_tokens
from cloche.server.job_tokens import JobTokens
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

URL = "http://127.0.0.1:4566"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "cloche.db")
    migrate(made, [*records.MIGRATIONS, *MIGRATIONS, *job_tokens.MIGRATIONS])
    yield made
    made.close()


@pytest.fixture
def identity(database: Database, tmp_path: Path) -> Identity:
    return Identity(database, SystemClock(), Settings(tmp_path), tmp_path / "keys")


def test_what_a_job_gets(database: Database, identity: Identity) -> None:
    role = identity.role(EXECUTION_ROLE)
    assert role is not None
    tokens = JobTokens(database, SystemClock(), identity, URL)
    variables = tokens.environment("job-1", role.arn, "SageMaker")
    address, token = variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"], variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert address == f"{URL}/_cloche/credentials/job-1"
    found = tokens.credentials("job-1", token)
    assert found is not None
    owner = identity.credentials(found["AccessKeyId"])
    assert owner is not None
    assert owner.principal_arn.endswith(f"assumed-role/{EXECUTION_ROLE}/SageMaker")
    expires_at = datetime.strptime(found["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert expires_at > datetime.now(UTC) + timedelta(hours=6)

    class Fetcher:
        def retrieve_full_uri(self, full_url: str, headers: dict[str, str]) -> dict[str, str]:
            assert (full_url, headers) == (address, {"Authorization": token})
            answer = tokens.credentials("job-1", headers["Authorization"])
            assert answer is not None
            return answer

    loaded = ContainerProvider(dict(variables), Fetcher()).load()
    assert loaded.access_key != ""
    assert loaded.token


def test_wrong_old_and_forgotten_tokens(database: Database, identity: Identity) -> None:
    role = identity.role(EXECUTION_ROLE)
    assert role is not None
    tokens = JobTokens(database, SystemClock(), identity, URL)
    first = tokens.environment("job-1", role.arn, "SageMaker")["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    second = tokens.environment("job-1", role.arn, "SageMaker")["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert tokens.credentials("job-1", first) is None
    assert tokens.credentials("job-1", "") is None
    assert tokens.credentials("job-2", second) is None
    assert tokens.credentials("job-1", second) is not None
    tokens.forget("job-1")
    assert tokens.credentials("job-1", second) is None


def test_what_was_kept_with_the_job_is_promised_without_another_write(database: Database, identity: Identity) -> None:
    role = identity.role(EXECUTION_ROLE)
    assert role is not None
    tokens = JobTokens(database, SystemClock(), identity, URL)
    database.write(lambda tx: tokens.keep(tx, "job-1", role.arn, "SageMaker"))
    moment = database.moment()
    promised, wait = tokens.promised("job-1", role.arn, "SageMaker")
    wait()
    assert database.moment() == moment
    token = promised["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert tokens.credentials("job-1", token) is not None
    another, wait = tokens.promised("job-1", role.arn, "SageMaker")  # it begins once more
    wait()
    assert tokens.credentials("job-1", token) is None
    assert tokens.credentials("job-1", another["AWS_CONTAINER_AUTHORIZATION_TOKEN"]) is not None
    database.write(lambda tx: tokens.drop(tx, "job-1"))
    assert tokens.credentials("job-1", another["AWS_CONTAINER_AUTHORIZATION_TOKEN"]) is None


def test_the_database_holds_no_token(database: Database, identity: Identity) -> None:
    role = identity.role(EXECUTION_ROLE)
    assert role is not None
    token = JobTokens(database, SystemClock(), identity, URL).environment("job-1", role.arn, "SageMaker")
    kept = [tuple(row) for row in database.reader.execute("SELECT * FROM job_tokens")]
    assert token["AWS_CONTAINER_AUTHORIZATION_TOKEN"] not in str(kept)

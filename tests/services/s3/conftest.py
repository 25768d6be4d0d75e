from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def s3(server: Any) -> Any:
    return server.client("s3")


@pytest.fixture
def bucket(s3: Any) -> Iterator[str]:
    """A bucket of the test's own, empty."""
    name = f"test-bucket-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    yield name


class Refusal:
    """What a refused call said."""

    def __init__(self, error: ClientError) -> None:
        self.code: str = error.response["Error"]["Code"]
        self.message: str = error.response["Error"]["Message"]
        self.status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
        self.fields: dict[str, Any] = error.response["Error"]
        self.headers: dict[str, str] = error.response["ResponseMetadata"]["HTTPHeaders"]


@pytest.fixture
def refused() -> Callable[..., Refusal]:
    """``refused(s3.get_object, Bucket=…)``: the refusal of a call that must be refused."""

    def call(function: Callable[..., Any], **arguments: Any) -> Refusal:
        with pytest.raises(ClientError) as caught:
            function(**arguments)
        return Refusal(caught.value)

    return call

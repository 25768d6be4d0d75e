"""Services are found by being there, and what is not offered is said by name."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloche.aws.errors import AwsError
from cloche.foundation.errors import Broken
from cloche.server.dispatch import Dispatch, not_offered

SERVICE = "from cloche.aws.operation import Service\nSERVICE = Service('my-service', ('things',))\n"
THINGS = """from cloche.aws.operation import operation
@operation("ListThings")
def list_things(ctx, request):
    return {"Things": []}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "offered_here"
    service = package / "my_service"
    service.mkdir(parents=True)
    (package / "__init__.py").touch()
    (service / "__init__.py").touch()
    (service / "service.py").write_text(SERVICE)
    (service / "things.py").write_text(THINGS)
    (service / "unsupported.toml").write_text('DropThings = "Dropping needs a crane."\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [name for name in sys.modules if name.startswith("offered_here")]:
        del sys.modules[name]


def test_nothing_is_imported_before_it_is_asked(folder: Path) -> None:
    dispatch = Dispatch(folder, "offered_here")
    assert dispatch.ready("my-service") is None
    assert "offered_here.my_service.service" not in sys.modules
    offered = dispatch.offered("my-service")
    assert offered is not None
    assert offered.operation("ListThings").handler(None, {}) == {"Things": []}
    assert dispatch.ready("my-service") is offered
    assert dispatch.names() == ["my-service"]


def test_an_operation_left_out_says_why(folder: Path) -> None:
    offered = Dispatch(folder, "offered_here").offered("my-service")
    assert offered is not None
    with pytest.raises(AwsError) as caught:
        offered.operation("DropThings")
    assert "DropThings" in caught.value.message
    assert "Dropping needs a crane." in caught.value.message
    with pytest.raises(AwsError) as caught:
        offered.operation("PaintThings")
    assert "Cloche does not offer PaintThings of my-service" in caught.value.message


def test_a_service_that_is_not_there(folder: Path) -> None:
    assert Dispatch(folder, "offered_here").offered("other") is None


def test_an_operation_answered_twice_is_our_own_fault(folder: Path) -> None:
    (folder / "my_service" / "service.py").write_text(SERVICE.replace("('things',)", "('things', 'more')"))
    (folder / "my_service" / "more.py").write_text(THINGS)
    with pytest.raises(Broken):
        Dispatch(folder, "offered_here").offered("my-service")


def test_one_service_is_imported_at_a_time(folder: Path) -> None:
    """They lead to the same packages; of two threads in a circle of imports one is given half a module."""
    (folder / "__init__.py").write_text("seen = []\n")
    busy = "import time\nfrom offered_here import seen\nseen.append('in')\ntime.sleep(0.1)\nseen.append('out')\n"
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
        (folder / name / "service.py").write_text(busy + SERVICE.replace("my-service", name).replace("'things',", ""))
    dispatch = Dispatch(folder, "offered_here")
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(dispatch.offered, ("one", "two")))
    assert sys.modules["offered_here"].seen == ["in", "out"] * 2  # type: ignore[attr-defined]


def test_s3_says_not_implemented() -> None:
    from cloche.aws.errors import ErrorCodes

    error = not_offered("s3", "PutBucketReplication", ErrorCodes())
    assert (error.code, error.status) == ("NotImplemented", 501)

"""The server in two halves: what answers at once, and the engines, loaded after it or when they are first wanted."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloche.foundation.errors import Conflict
from cloche.foundation.settings import Settings
from cloche.server import building, wiring
from cloche.server.directory import Layout
from cloche.storage.metadata.database import Database


def test_the_schema_counts_every_migration() -> None:
    """``building.SCHEMA`` is written down, so that a newer directory is refused before the engines are loaded."""
    names = [name for name, _ in wiring.MIGRATIONS]
    assert len(names) == building.SCHEMA
    assert len(set(names)) == len(names)


def test_a_directory_of_a_newer_version_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    made = building.build(Settings(data=layout.root, sandbox="process"))
    made.load()
    made.close()
    database = Database(layout.database)
    database.write(lambda tx: tx.execute("INSERT INTO migrations VALUES ('of-tomorrow', '')") and None)
    database.close()
    with pytest.raises(Conflict, match="newer version"):
        building.build(Settings(data=layout.root, sandbox="process"))


def test_who_comes_first_makes_the_engines_and_others_wait(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    made = building.build(Settings(data=layout.root, sandbox="process"))
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(made.parts.training)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({id(each) for each in found}) == 1
    with pytest.raises(AttributeError):
        made.parts.nonsense  # type: ignore[attr-defined] # noqa: B018
    made.close()


def test_the_first_half_loads_no_engine_but_identity() -> None:
    """What makes the start quick: whoever imports an engine from the first half has it wait for all of it."""
    ask = (
        "import sys, cloche.server.run; print(sorted({'.'.join(name.split('.')[:3]) for name in sys.modules"
        " if name.startswith(('cloche.engines.', 'cloche.jobs.', 'cloche.serving.'))}))"
    )
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "['cloche.engines.identity']"


def test_engines_that_could_not_be_made_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may have begun things; the server ends on it (``run``), and until then everybody hears the same."""
    layout = Layout(tmp_path / "data")
    layout.prepare()
    tries: list[object] = []

    def fails(engines: object, parts: object) -> None:
        tries.append(parts)
        raise RuntimeError("no engine")

    monkeypatch.setattr(wiring.Engines, "make", fails)
    made = building.build(Settings(data=layout.root, sandbox="process"))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no engine"):
            made.load()
    assert len(tries) == 1
    made.close()

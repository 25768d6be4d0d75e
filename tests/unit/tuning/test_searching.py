"""The search's own process: what it answers follows from the question alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.images import EnvironmentBuilder
from cloche.engines.tuning.searching import Searcher
from cloche.foundation.errors import Broken
from cloche_jobs.catalog import SEARCH


@pytest.fixture(scope="module")
def searcher() -> Iterator[Searcher]:
    made = Searcher(lambda: EnvironmentBuilder().ensure(SEARCH).python)
    yield made
    made.close()


def question(**changes: Any) -> dict[str, Any]:
    places = [0.05, 0.2, 0.45, 0.6, 0.8, 0.95]
    made = {
        "dimensions": [["number", 0]],
        "points": [[place] for place in places],
        "losses": [(place - 0.3) ** 2 for place in places],
        "pending": [],
        "seed": [1, 0, 7],
    }
    return {**made, **changes}


def test_it_looks_near_the_least_loss(searcher: Searcher) -> None:
    (place,) = searcher.ask(question())
    assert abs(place - 0.3) < 0.1


def test_another_process_answers_the_same(searcher: Searcher) -> None:
    first = searcher.ask(question())
    assert searcher._process is not None
    searcher._process.kill()
    searcher._process.wait()
    assert searcher.ask(question()) == first


def test_a_place_that_is_being_tried_is_not_tried_again(searcher: Searcher) -> None:
    first = searcher.ask(question())
    (other,) = searcher.ask(question(pending=[list(first)]))
    assert abs(other - first[0]) > 1e-4


def test_where_nothing_is_better_it_looks_where_nobody_was(searcher: Searcher) -> None:
    (place,) = searcher.ask(question(losses=[0.5] * 6))
    assert abs(place - 0.325) < 0.02  # the middle of the widest gap


def test_choices_and_steps_are_not_tried_twice(searcher: Searcher) -> None:
    dimensions = [["choice", 3], ["steps", 2]]
    every = [[(a + 0.5) / 3, (b + 0.5) / 2] for a in range(3) for b in range(2)]
    asked = question(dimensions=dimensions, points=every[:5], losses=[5.0, 4.0, 3.0, 2.0, 1.0])
    assert searcher.ask(asked) == pytest.approx(every[5])


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, 1.0, 1.0], [1e308, -1e308, 0.0], [1e-300, 2e-300, 0.0]])
def test_little_and_strange_knowledge_is_no_hindrance(searcher: Searcher, losses: list[float]) -> None:
    points = [[0.1 * (at + 1)] for at in range(len(losses))]
    (place,) = searcher.ask(question(points=points, losses=losses))
    assert 0 <= place <= 1


def test_a_process_that_does_not_answer_is_told(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o700)
    with pytest.raises(Broken, match="the search of hyperparameters failed"):
        Searcher(lambda: program).ask(question())

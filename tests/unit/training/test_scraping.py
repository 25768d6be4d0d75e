"""Metrics in lines, and expressions that are refused or given up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloche.engines.training import Metric
from cloche.engines.training.scraping import Scraper, check, demanded
from cloche.foundation.errors import Invalid
from cloche_jobs.algorithms.xgboost.spec import METRICS


@pytest.fixture(params=[True, False], ids=["built-in", "user's"])
def built_in(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def scrapers() -> Iterator[list[Scraper]]:
    made: list[Scraper] = []
    yield made
    for scraper in made:
        scraper.close()


def test_values_are_found_in_their_order(built_in: bool, scrapers: list[Scraper]) -> None:
    metrics = [Metric("loss", r"loss=([0-9.eE+-]+)", built_in), Metric("acc", r"acc: (\S+)", built_in)]
    scrapers.append(Scraper(metrics))
    assert scrapers[0].find(["loss=1e-3 acc: 0.5", "nothing", "loss=2"]) == [
        [("loss", 0.001), ("acc", 0.5)],
        [],
        [("loss", 2.0)],
    ]
    assert scrapers[0].find([]) == []


@pytest.mark.parametrize("text", ["loss=abc", "loss=nan", "loss=inf", "loss="])
def test_what_is_no_number_is_no_metric(text: str, built_in: bool, scrapers: list[Scraper]) -> None:
    scrapers.append(Scraper([Metric("loss", r"loss=(\S*)", built_in)]))
    assert scrapers[0].find([text]) == [[]]


def test_the_built_in_expressions_find_awss_lines() -> None:
    metrics = [Metric(each.name, each.regex, True) for each in METRICS]
    for metric in metrics:
        check(metric)
    found = Scraper(metrics).find(["[12]#011train-auc:0.98765#011validation-auc:0.91"])
    assert found == [[("train:auc", 0.98765), ("validation:auc", 0.91)]]


@pytest.mark.parametrize("regex", ["(x", "no group", "*(a)"])
def test_what_cannot_be_used_is_refused(regex: str) -> None:
    with pytest.raises(Invalid, match="named"):
        check(Metric("named", regex))


@pytest.mark.parametrize("regex", ["(a+)+b", "(a|a)*b", "(.*)a.*a.*a.*x", r"((a*)*)*\2b"])
def test_an_expression_that_takes_for_ever_is_dropped_and_others_go_on(regex: str, scrapers: list[Scraper]) -> None:
    scrapers.append(Scraper([Metric("evil", regex), Metric("good", "good=([0-9]+)")]))
    assert scrapers[0].find(["a" * 3000 + " good=1"] * 50) == [[("good", 1.0)]] * 50


def test_a_search_that_dies_is_done_without(scrapers: list[Scraper]) -> None:
    scrapers.append(Scraper([Metric("good", "good=([0-9]+)")]))
    assert scrapers[0].find(["good=1"]) == [[("good", 1.0)]]
    apart = scrapers[0]._apart
    assert apart is not None
    assert apart._process is not None
    apart._process.kill()
    apart._process.wait()
    assert scrapers[0].find(["good=2"]) == [[]]


@pytest.mark.parametrize(
    ("regex", "text"),
    [
        (r"loss=([0-9]+);", "loss="),
        (r".*\[[0-9]+\].*#011train-auc:([-+]?[0-9]+).*", "#011train-auc:"),
        (r"ab*c", "a"),
        (r"xa?bc", "bc"),
        (r"a\.b{2}cd", "a."),
        (r"\d+abc[]x]de", "abc"),
        (r"(hidden) +shown", "shown"),
        (r"x|y", ""),
        (r"a?", ""),
    ],
)
def test_the_text_that_every_match_holds(regex: str, text: str) -> None:
    assert demanded(regex) == text


def test_every_built_in_expression_demands_a_text() -> None:
    """Without, each line of a job would be gone through by each of them, again from each of its characters."""
    assert all(metric.name.replace(":", "-") in demanded(metric.regex) for metric in METRICS)

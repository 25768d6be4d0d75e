"""Uncertainty, comparison, slices and error analysis: worked examples of their sources, and planted truths."""

from __future__ import annotations

import pytest

from .conftest import Ask, Refused

QUALITY = "from cloche_jobs.analysis.quality import "
# Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), table 3.1: 15 law schools. The correlation is 0.776;
# table 6.1 gives its bootstrap standard error as 0.132 for 3,200 resamples.
LAW = """
import numpy as np
lsat = np.array([576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594.0])
gpa = np.array([3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96])
def correlation(x, y):
    return float(np.corrcoef(x, y)[0, 1])
"""
TWO = """
import numpy as np
r = np.random.default_rng(3)
y = r.random(400) < 0.4
good, poor = y + r.normal(0, 0.8, 400), y + r.normal(0, 2.0, 400)
"""


def test_the_law_schools(ask: Ask) -> None:
    code = QUALITY + "bootstrap as b\n" + LAW
    told = ask(code + "result = b.estimate(correlation, lsat, gpa, resamples=3200, seed=1)")
    assert told["value"] == pytest.approx(0.776, abs=5e-4)
    assert told["standard_deviation"] == pytest.approx(0.132, abs=0.008)
    again = ask(code + "result = b.estimate(correlation, lsat, gpa, resamples=3200, seed=1)")
    assert again == told, "a seed gives the same again"


@pytest.mark.parametrize(("bca", "method"), [(True, "BCa"), (False, "percentile")])
def test_intervals_are_those_of_scipy(ask: Ask, bca: bool, method: str) -> None:
    code = QUALITY + "bootstrap as b\nfrom scipy.stats import bootstrap\nimport numpy as np\n"
    code += "x = np.random.default_rng(2).exponential(size=40)\ndef mean(x):\n    return float(x.mean())\n"
    code += f"ours = b.estimate(mean, x, resamples=3000, seed=5, bca={bca})\n"
    code += "theirs = bootstrap((x,), np.mean, vectorized=True, axis=-1, n_resamples=3000, "
    code += f"method='{method}', random_state=np.random.default_rng(5)).confidence_interval\n"
    ours, theirs = ask(code + "result = [[ours.low, ours.high], [theirs.low, theirs.high]]")
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_bca_is_not_the_percentile_interval_of_what_is_skewed(ask: Ask) -> None:
    code = QUALITY + "bootstrap as b\n" + LAW
    code += "k = [b.estimate(correlation, lsat, gpa, resamples=2000, bca=each) for each in (True, False)]\n"
    bca, plain = ask(code + "result = [[each.low, each.high] for each in k]")
    assert bca[0] < plain[0] - 0.02 and bca[1] < plain[1] - 0.005


def test_strata_keep_their_rows_and_what_says_nothing_is_passed_over(ask: Ask) -> None:
    code = QUALITY + "bootstrap as b, classification as c\nimport numpy as np\n"
    code += "y = np.array([1] + [0] * 30)\ns = np.linspace(0, 1, 31)[::-1]\n"
    kept = ask(code + "result = b.estimate(c.auc, y, s, resamples=100, strata=y).resamples")
    free = ask(code + "result = b.estimate(c.auc, y, s, resamples=100).resamples")
    assert kept == 100
    assert 50 <= free < 100
    with pytest.raises(Refused, match="resamples can be measured"):
        ask(code + "def m(x):\n    if len(set(x)) < 31:\n        raise ValueError\n    return 1.0\nb.estimate(m, s)")


def test_mcnemar(ask: Ask) -> None:
    # Agresti, Categorical Data Analysis (1990), p. 350, as R's mcnemar.test works it out: 86 and 150 changed their
    # mind; chi-squared = 16.82, p = 4.115e-05.
    code = QUALITY + "comparison as c\ntruth = [1] * 1600\n"
    code += (
        "first = [1] * 794 + [1] * 86 + [0] * 150 + [0] * 570\nsecond = [1] * 794 + [0] * 86 + [1] * 150 + [0] * 570\n"
    )
    told = ask(code + "result = c.mcnemar(truth, first, second)")
    assert (told["only_first_right"], told["only_second_right"], told["is_exact"]) == (86, 150, False)
    assert told["statistic"] == pytest.approx(16.82, abs=5e-3)
    assert told["p_value"] == pytest.approx(4.115e-05, rel=1e-3)
    few = ask(QUALITY + "comparison as c\nresult = c.mcnemar([1] * 8, [1] * 7 + [0], [0] * 7 + [1])")
    # 7 against 1: twice the binomial tail, 2 (1 + 8)/2^8
    assert few["is_exact"] and few["p_value"] == pytest.approx(2 * 9 / 256)
    same = ask(QUALITY + "comparison as c\nresult = c.mcnemar([1, 0], [1, 1], [1, 1]).p_value")
    assert same == 1


def test_delong_is_its_definition(ask: Ask) -> None:
    """Against placements counted pair by pair: the definition in DeLong et al. (1988), equations 5 to 9."""
    code = QUALITY + "comparison as c\n" + TWO
    code += """
def placed(s):
    wins = (s[y][:, None] > s[~y]) + 0.5 * (s[y][:, None] == s[~y])
    return wins.mean(), wins.mean(axis=1), wins.mean(axis=0)
(a, av, an), (b, bv, bn) = placed(good), placed(poor)
m, n = y.sum(), (~y).sum()
variance = np.var(av - bv, ddof=1) / m + np.var(an - bn, ddof=1) / n
told = c.delong(y, good, poor)
result = [[told.first, told.second, told.standard_error], [a, b, variance ** 0.5], told.p_value, told.low, told.high]
"""
    ours, definition, p_value, low, high = ask(code)
    assert ours == pytest.approx(definition)
    assert p_value < 1e-4 and 0 < low < ours[0] - ours[1] < high
    same = ask(QUALITY + "comparison as c\n" + TWO + "result = c.delong(y, good, good)")
    assert (same["difference"], same["p_value"]) == (0, 1)


def test_delong_holds_its_level(ask: Ask) -> None:
    """Of two models that are equally good, about one comparison in twenty is called significant."""
    code = QUALITY + "comparison as c\nimport numpy as np\nr = np.random.default_rng(11)\nlow = 0\n"
    code += """
for _ in range(400):
    y = np.arange(120) < 50
    common = r.normal(size=120)
    one, other = y + common + r.normal(size=120), y + common + r.normal(size=120)
    low += c.delong(y, one, other).p_value < 0.05
result = low / 400
"""
    assert 0.02 < ask(code) < 0.085


def test_a_difference_over_the_same_rows(ask: Ask) -> None:
    code = QUALITY + "classification as k, comparison as c\n" + TWO
    told = ask(code + "result = c.difference(k.auc, y, good, poor, resamples=300, strata=y)")
    assert told["p_value"] == pytest.approx(1 / 300)
    assert told["estimate"]["low"] > 0
    none = ask(code + "result = c.difference(k.auc, y, good, good + 0.0, resamples=100, strata=y)")
    assert none["p_value"] == 1 and none["estimate"]["standard_deviation"] == 0


def test_a_slice_that_is_worse_is_marked_and_others_are_not(ask: Ask) -> None:
    code = QUALITY + "classification as k, slices as s\nimport numpy as np\nr = np.random.default_rng(4)\n"
    code += """
n = 3000
y, age = r.random(n) < 0.5, r.integers(18, 90, n)
plan = np.where(r.random(n) < 0.3, 'basic', 'full').astype(object)
plan[:100] = None
score = np.where(plan == 'basic', r.normal(size=n), y + r.normal(0, 0.5, n))
result = s.slices(k.auc, y, score, {'plan': plan, 'age': age}, resamples=200)
"""
    found = {each["name"]: each for each in ask(code)}
    assert set(found) >= {"plan = basic", "plan = full", "plan is missing"}
    assert len([name for name in found if name.startswith("age in [")]) == 4
    assert [name for name, each in found.items() if each["is_worse"]] == ["plan = basic"]
    assert sum(each["rows"] for name, each in found.items() if name.startswith("plan")) == 3000
    assert sum(each["rows"] for name, each in found.items() if name.startswith("age")) == 3000
    pairs = ask(code.replace("resamples=200", "resamples=100, pairs=True"))
    assert pairs[0]["name"].startswith("plan = basic and age in [") or pairs[0]["name"] == "plan = basic"


def test_a_slice_of_one_class_is_told_without_a_measure(ask: Ask) -> None:
    code = QUALITY + "classification as k, slices as s\nimport numpy as np\n"
    code += "y = np.arange(200) < 100\nresult = s.slices(k.auc, y, y * 1.0, {'half': (np.arange(200) < 100) * 1})"
    assert [(each["estimate"], each["is_worse"]) for each in ask(code)] == [(None, False)] * 2


def test_holm(ask: Ask) -> None:
    # R: p.adjust(c(0.03, 0.01, 0.04, 0.02), "holm") is 0.06 0.04 0.06 0.06
    told = ask(QUALITY + "error_analysis as e\nresult = e.holm([0.03, 0.01, 0.04, 0.02])")
    assert told == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_mistakes_gather_where_they_were_planted(ask: Ask) -> None:
    code = QUALITY + "error_analysis as e\nimport numpy as np\nr = np.random.default_rng(6)\n"
    code += "region, tenure = r.integers(0, 4, 2000), r.random(2000)\n"
    code += "wrong = r.random(2000) < np.where(region == 2, 0.3, 0.1)\n"
    found = ask(code + "result = e.parts_with_mistakes(wrong, {'region': region, 'tenure': tenure})")
    assert found[0]["name"] == "region = 2"
    assert found[0]["p_value"] < 1e-6 and found[0]["lift"] > 1.5
    assert not [each for each in found if each["p_value"] < 0.05 and each["name"].startswith("tenure")]
    nothing = ask(QUALITY + "error_analysis as e\nresult = e.parts_with_mistakes([0, 0], {'a': [1, 2]})")
    assert nothing == []


def test_costliest_rows_and_confusions(ask: Ask) -> None:
    code = QUALITY + "error_analysis as e\n"
    told = ask(code + "result = e.costliest_binary([1, 0, 1], [0.9, 0.8, 0.0], 2)")
    assert [row for row, _ in told] == [2, 1]
    assert told[1][1] == pytest.approx(1.6094, abs=1e-4)
    assert ask(code + "result = e.costliest_numbers([1, 2, 3], [1, 5, 1], 2)") == [[1, 3.0], [2, 2.0]]
    told = ask(code + "result = e.confusions(['a', 'a', 'a', 'b'], ['b', 'b', 'a', 'a'])")
    assert told == [
        {"actual": "a", "predicted": "b", "rows": 2, "share": pytest.approx(2 / 3)},
        {"actual": "b", "predicted": "a", "rows": 1, "share": 1.0},
    ]
    assert ask(code + "result = e.confusions(['a'], ['a'])") == []

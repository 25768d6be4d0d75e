"""Each measure of the quality library against an example that its source, or its library, works out."""

from __future__ import annotations

import pytest

from .conftest import Ask, Refused

QUALITY = "from cloche_jobs.analysis.quality import "
# scikit-learn.org/stable/modules/generated/sklearn.metrics.roc_auc_score.html and …precision_recall_curve.html
FOUR = "labels, scores = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]\n"


def test_areas_and_curves_of_four_rows(ask: Ask) -> None:
    code = QUALITY + "classification as c\n" + FOUR
    assert ask(code + "result = c.auc(labels, scores)") == pytest.approx(0.75)
    assert ask(code + "result = c.average_precision(labels, scores)") == pytest.approx(0.8333, abs=1e-4)
    curve = ask(
        code
        + "k = c.threshold_curve(labels, scores)\n"
        + "result = [k.thresholds, k.false_positive_rates, k.recalls, k.precisions]"
    )
    assert curve == [
        ["Infinity", 0.8, 0.4, 0.35, 0.1],
        [0, 0, 0.5, 0.5, 1],
        [0, 0.5, 0.5, 1, 1],
        pytest.approx([1, 1, 0.5, 2 / 3, 0.5]),
    ]


def test_equal_scores_make_one_point(ask: Ask) -> None:
    code = QUALITY + "classification as c\nk = c.threshold_curve([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.1])\n"
    assert ask(code + "result = [k.true_positives, k.false_positives]") == [[0, 2, 2], [0, 1, 2]]


def test_counts_at_a_threshold(ask: Ask) -> None:
    # 6 true positives, 2 false negatives, 1 false positive, 3 true negatives: the classifier of cats and dogs in
    # en.wikipedia.org/wiki/Confusion_matrix, whose article on Matthews' correlation works it out as 0.478.
    code = QUALITY + "classification as c\nk = c.Counts(6, 1, 3, 2)\n"
    told = ask(code + "result = [k.accuracy, k.precision, k.recall, k.false_positive_rate, k.f(1), k.matthews]")
    assert told == pytest.approx([9 / 12, 6 / 7, 6 / 8, 1 / 4, 12 / 15, 0.478], abs=1e-3)
    assert ask(code + "result = [k.f(2), k.f(0.5)]") == pytest.approx([30 / 39, 7.5 / 9])
    assert ask(QUALITY + "classification as c\n" + FOUR + "result = c.counts(labels, scores, 0.35)") == {
        "true_positives": 2,
        "false_positives": 1,
        "true_negatives": 1,
        "false_negatives": 0,
    }
    nothing = QUALITY + "classification as c\nk = c.Counts(0, 0, 3, 2)\nresult = [k.precision, k.f(1), k.matthews]"
    assert ask(nothing) == ["NaN", 0.0, "NaN"]


def test_the_best_threshold_by_f1_and_by_youden(ask: Ask) -> None:
    code = QUALITY + "classification as c\n" + FOUR + "k = c.threshold_curve(labels, scores)\n"
    assert ask(code + "result = k.best()") == [0.35, pytest.approx(0.8)]
    assert ask(code + "result = k.youden()") == [0.8, pytest.approx(0.5)]


def test_classes_by_name(ask: Ask) -> None:
    # scikit-learn.org/stable/modules/generated/sklearn.metrics.precision_recall_fscore_support.html
    code = QUALITY + "classification as c\n"
    code += "k = c.multiclass(['cat', 'dog', 'pig', 'cat', 'dog', 'pig'], ['cat', 'pig', 'dog', 'cat', 'cat', 'dog'])\n"
    assert ask(code + "result = [k.precision, k.recall, k.f1, k.support]") == [
        pytest.approx([2 / 3, 0, 0]),
        [1, 0, 0],
        pytest.approx([0.8, 0, 0]),
        [2, 2, 2],
    ]
    assert ask(code + "result = [k.weighted_precision, k.weighted_recall, k.weighted_f(1)]") == pytest.approx(
        [2 / 9, 1 / 3, 0.8 / 3]
    )
    order = QUALITY + "classification as c\nresult = c.multiclass([10, 9, 2], [10, 2, 9]).classes"
    assert ask(order) == ["2", "9", "10"]


def test_calibration_of_four_rows(ask: Ask) -> None:
    code = QUALITY + "calibration as c\nk = c.calibration([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3], bins=2)\n"
    told = ask(code + "result = [k.brier, k.counts, k.mean_scores, k.shares, k.expected_error, k.largest_error]")
    assert told == [
        pytest.approx((0.01 + 0.01 + 0.04 + 0.09) / 4),
        [2, 2],
        pytest.approx([0.2, 0.85]),
        [0, 1],
        pytest.approx((0.2 + 0.15) / 2),
        pytest.approx(0.2),
    ]


def test_the_brier_score_is_reliability_less_resolution_and_uncertainty(ask: Ask) -> None:
    """Murphy's decomposition is exact where all scores of a bin are equal."""
    code = QUALITY + "calibration as c\nimport numpy as np\nr = np.random.default_rng(1)\n"
    code += "s = r.integers(0, 10, 500) / 10 + 0.05\ny = r.random(500) < s\nk = c.calibration(y, s)\n"
    whole, parts = ask(code + "result = [k.brier, k.reliability - k.resolution + k.uncertainty]")
    assert whole == pytest.approx(parts, abs=1e-12)


def test_gains_and_the_distance_of_the_classes(ask: Ask) -> None:
    code = QUALITY + "gains as g\nlabels = [1, 1, 0, 1, 0, 0, 0, 0, 0, 1]\n"
    code += "scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05]\n"
    told = ask(code + "result = g.gains(labels, scores, 5)")
    assert told["shares"] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])
    assert told["gains"] == pytest.approx([0.5, 0.75, 0.75, 0.75, 1])
    assert told["lifts"] == pytest.approx([2.5, 1.875, 1.25, 0.9375, 1])
    assert told["response_rates"] == pytest.approx([1, 0.5, 0, 0, 0.5])
    # Among the first four rows are 3 of 4 positives and 1 of 6 negatives.
    assert ask(code + "result = g.kolmogorov_smirnov(labels, scores)") == pytest.approx(3 / 4 - 1 / 6)


def test_errors_of_four_numbers(ask: Ask) -> None:
    # scikit-learn.org/stable/modules/model_evaluation.html, the examples of mean_absolute_error, r2_score and the like
    code = QUALITY + "regression as r\nresult = r.regression([3, -0.5, 2, 7], [2.5, 0.0, 2, 8])"
    told = ask(code)
    assert told["mae"] == 0.5 and told["mse"] == 0.375 and told["median_absolute_error"] == 0.5
    assert told["rmse"] == pytest.approx(0.6124, abs=1e-4)
    assert told["r2"] == pytest.approx(0.9486, abs=1e-4)
    assert told["explained_variance"] == pytest.approx(0.9572, abs=1e-4)
    assert told["mape"] == pytest.approx((0.5 / 3 + 1 + 0 + 1 / 7) / 4)
    assert told["smape"] == pytest.approx((2 * 0.5 / 5.5 + 2 * 0.5 / 0.5 + 0 + 2 / 15) / 4)
    assert told["bias"] == 0.25 and told["largest_error"] == 1
    assert told["spearman"] == 1
    constant = ask(QUALITY + "regression as r\nresult = r.regression([2, 2, 2], [1, 2, 3])")
    assert (constant["r2"], constant["pearson"], constant["mae"]) == ("NaN", "NaN", pytest.approx(2 / 3))
    loss = ask(QUALITY + "regression as r\nresult = r.pinball_loss([1, 2, 3], [0, 2, 3], 0.1)")
    assert loss == pytest.approx(0.1 / 3)


def test_orders_of_one_query(ask: Ask) -> None:
    code = QUALITY + "ranking as r\n"
    # en.wikipedia.org/wiki/Discounted_cumulative_gain, "Example": DCG of 3, 2, 3, 0, 1, 2
    assert ask(code + "result = r.dcg_at([3, 2, 3, 0, 1, 2], 6)") == pytest.approx(6.861, abs=1e-3)
    assert ask(code + "result = r.ndcg_at([3, 2, 3, 0, 1, 2], 6)") == pytest.approx(6.861 / 7.141, abs=1e-3)
    ranked = "[1, 0, 1, 0, 0, 1, 0, 0, 1, 1]"
    told = ask(code + f"result = r.average_precision_at({ranked}, 10)")
    assert told == pytest.approx((1 + 2 / 3 + 3 / 6 + 4 / 9 + 5 / 10) / 5)
    assert ask(code + f"result = [r.precision_at({ranked}, 3), r.recall_at({ranked}, 3)]") == pytest.approx(
        [2 / 3, 2 / 5]
    )
    assert ask(code + "result = [r.reciprocal_rank_at([0, 0, 1], 3), r.reciprocal_rank_at([0, 0, 1], 2)]") == (
        pytest.approx([1 / 3, 0])
    )


def test_orders_of_several_queries(ask: Ask) -> None:
    code = QUALITY + "ranking as r\nqueries = ['a', 'b', 'a', 'b', 'c', 'a']\n"
    code += "relevances = [0, 1, 1, 0, 0, 0]\nscores = [0.9, 0.8, 0.5, 0.2, 0.7, 0.1]\n"
    told = ask(code + "result = r.ranking(queries, relevances, scores, k=2)")
    assert told["queries"] == 2 and told["without_relevant"] == 1
    assert told["mrr"] == pytest.approx((1 / 2 + 1) / 2)
    assert told["map"] == pytest.approx((1 / 2 + 1) / 2)
    assert told["precision"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert told["recall"] == told["hit_rate"] == 1


def test_ndcg_is_that_of_scikit_learn(ask: Ask) -> None:
    code = QUALITY + "ranking as r\nimport numpy as np\nfrom sklearn.metrics import ndcg_score\n"
    code += "g = np.random.default_rng(2)\nrel, s = g.integers(0, 4, (20, 12)), g.random((20, 12))\n"
    code += "ours = r.ranking(np.repeat(np.arange(20), 12), rel.ravel(), s.ravel(), k=5).ndcg\n"
    ours, theirs = ask(code + "result = [ours, ndcg_score(rel, s, k=5)]")
    assert ours == pytest.approx(theirs)


def test_clusters_against_classes(ask: Ask) -> None:
    # Manning, Raghavan and Schütze, Introduction to Information Retrieval, 16.3: purity 0.71 and NMI 0.36
    code = QUALITY + "clustering as c\nclasses = 'xxxxxo' + 'xoooo' + 'd' + 'xxddd'\n"
    code += "clusters = [1] * 6 + [2] * 6 + [3] * 5\nresult = c.agreement(list(classes), clusters)"
    told = ask(code)
    assert told["purity"] == pytest.approx(12 / 17)
    assert told["normalized_mutual_information"] == pytest.approx(0.36, abs=0.005)
    # scikit-learn.org/stable/modules/generated/sklearn.metrics.adjusted_rand_score.html
    rand = ask(QUALITY + "clustering as c\nresult = c.agreement([0, 0, 1, 2], [0, 0, 1, 1]).adjusted_rand")
    assert rand == pytest.approx(0.57, abs=0.005)


def test_the_shape_of_two_pairs(ask: Ask) -> None:
    code = QUALITY + "clustering as c\npoints = [[0.0], [1.0], [10.0], [11.0]]\n"
    told = ask(code + "result = c.shape(points, [0, 0, 1, 1])")
    # Inside 1; to the other pair 10.5 from the outer and 9.5 from the inner points.
    assert told["silhouette"] == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)
    assert told["clusters"] == 2 and told["davies_bouldin"] == pytest.approx(0.1)
    assert told["calinski_harabasz"] == pytest.approx((4 * 5.0**2) / (1.0 / 2))
    with pytest.raises(Refused, match="1 clusters of 4 points"):
        ask(code + "c.shape(points, [0, 0, 0, 0])")


def test_baselines(ask: Ask) -> None:
    code = QUALITY + "baselines as b\nresult = [b.commonest_class(['b', 'a', 'b']), b.prior_score([1, 0, 0, 0]), "
    code += "b.mean_value([1, 2, 6]), b.median_value([1, 2, 6]), b.mean_value([1, 2], [10, 20])]"
    assert ask(code) == [["b", "b", "b"], [0.25] * 4, [3, 3, 3], [2, 2, 2], [15, 15]]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("classification.auc([0, 1], [0.5])", "two columns of one length"),
        ("classification.auc([], [])", "no rows"),
        ("classification.auc([0, 2], [0.5, 0.5])", "label in row 1 is 2: labels must be 0 or 1"),
        ("classification.auc([0, 1], [0.5, float('nan')])", "prediction in row 1 is nan"),
        ("classification.auc([1, 1], [0.5, 0.6])", "both classes must occur"),
        ("classification.log_loss([0, 1], [0.5, 1.5])", "probabilities"),
        ("calibration.calibration([0, 1], [-1, 1])", "probabilities"),
        ("regression.regression([1, 'x'], [1, 2])", "could not convert"),
        ("ranking.ranking([1], [-1], [0.5])", "may not be negative"),
        ("ranking.ranking([1], [0], [0.5])", "no query has a relevant item"),
        ("ranking.ranking([1], [1], [0.5], k=0)", "k must be at least 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(ask: Ask, code: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        ask(QUALITY + f"calibration, classification, ranking, regression\n{code}")

"""What an evaluation writes: the registry's form, plots, a page."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ask

START = """
import numpy as np
from cloche_jobs.analysis.quality import evaluation
r = np.random.default_rng(8)
y = r.random(600) < 0.3
score = 1 / (1 + np.exp(-(3 * y - 2 + r.normal(0, 1.2, 600))))
plan = np.where(r.random(600) < 0.5, "a", "b")
"""
# docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html, as AWS's own baselines have them
BINARY = {
    "confusion_matrix", "recall", "precision", "accuracy", "recall_best_constant_classifier",
    "precision_best_constant_classifier", "accuracy_best_constant_classifier", "true_positive_rate",
    "true_negative_rate", "false_positive_rate", "false_negative_rate", "receiver_operating_characteristic_curve",
    "precision_recall_curve", "auc", "au_prc", "f0_5", "f1", "f2", "f0_5_best_constant_classifier",
    "f1_best_constant_classifier", "f2_best_constant_classifier",
}  # fmt: skip


def written(ask: Ask, code: str, folder: Path) -> dict[str, Any]:
    ask(START + code + f".write({str(folder)!r})")
    read: dict[str, Any] = json.loads((folder / "evaluation.json").read_text(), parse_constant=not_json)
    for plot in (folder / "plots").iterdir():
        root = ElementTree.fromstring(plot.read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        numbers = [
            float(each.attrib[name])
            for each in root.iter()
            for name in ("x", "y", "width", "height")
            if name in each.attrib
        ]
        assert numbers and all(math.isfinite(each) and -60 < each < 500 for each in numbers), plot.name
    page = (folder / "report.html").read_text()
    assert page.count("<svg") == len(list((folder / "plots").iterdir()))
    return read


def not_json(word: str) -> None:
    pytest.fail(f"{word} is not JSON")


def test_two_classes(ask: Ask, tmp_path: Path) -> None:
    read = written(ask, "evaluation.evaluate_binary(y, score, columns={'plan': plan}, resamples=60)", tmp_path)
    group = read["binary_classification_metrics"]
    assert set(group) == BINARY
    matrix = group["confusion_matrix"]
    assert sum(matrix[one][other] for one in "01" for other in "01") == 600
    assert group["recall"]["value"] == matrix["1"]["1"] / (matrix["1"]["0"] + matrix["1"]["1"])
    assert 0.8 < group["auc"]["value"] < 1 and 0 < group["auc"]["standard_deviation"] < 0.05
    assert group["accuracy_best_constant_classifier"]["value"] == sum(matrix["0"].values()) / 600
    assert group["precision_best_constant_classifier"]["value"] == 0
    curve = group["receiver_operating_characteristic_curve"]
    assert len(curve["false_positive_rates"]) == len(curve["true_positive_rates"]) <= 200
    assert (curve["true_positive_rates"][0], curve["true_positive_rates"][-1]) == (0, 1)
    assert {"log_loss", "brier", "calibration", "lift", "best_f1"} <= set(read["further_metrics"])
    assert sorted(each["name"] for each in read["slices"]) == ["plan = a", "plan = b"]
    assert {plot.stem for plot in (tmp_path / "plots").iterdir()} == {
        "roc", "precision_recall", "thresholds", "confusion_matrix", "lift", "calibration",
    }  # fmt: skip


def test_scores_that_are_no_probabilities_are_not_called_so(ask: Ask, tmp_path: Path) -> None:
    read = written(ask, "evaluation.evaluate_binary(y, 10 * score, threshold=5, resamples=20)", tmp_path)
    assert not {"log_loss", "brier", "calibration"} & set(read["further_metrics"])
    assert not (tmp_path / "plots" / "calibration.svg").exists()


def test_several_classes(ask: Ask, tmp_path: Path) -> None:
    code = "k = np.where(y, 'yes', np.where(plan == 'a', 'no', 'may<be'))\n"
    code += "evaluation.evaluate_multiclass(k, np.where(r.random(600) < 0.8, k, 'no'), resamples=20)"
    read = written(ask, code, tmp_path)
    group = read["multiclass_classification_metrics"]
    assert set(group["confusion_matrix"]) == {"yes", "no", "may<be"}
    assert group["accuracy"]["value"] == pytest.approx(group["weighted_recall"]["value"])
    assert group["accuracy_best_constant_classifier"]["value"] < group["accuracy"]["value"]
    assert "may&lt;be" in (tmp_path / "report.html").read_text()


def test_numbers(ask: Ask, tmp_path: Path) -> None:
    code = "t = r.normal(10, 3, 600)\n"
    code += "evaluation.evaluate_regression(t, t + r.normal(0, 1, 600), columns={'plan': plan}, resamples=60)"
    read = written(ask, code, tmp_path)
    group = read["regression_metrics"]
    assert set(group) == {"mae", "mse", "rmse", "r2"}
    assert group["rmse"]["value"] == pytest.approx(group["mse"]["value"] ** 0.5)
    assert 0.8 < group["r2"]["value"] < 1 and group["r2"]["standard_deviation"] > 0
    assert read["further_metrics"]["rmse_of_the_mean"] > 2 * group["rmse"]["value"]
    assert len(read["slices"]) == 2


def test_orders(ask: Ask, tmp_path: Path) -> None:
    """Against the measures themselves, and chance against what it must be: one relevant item of four in any place."""
    code = "from cloche_jobs.analysis.quality import ranking\n"
    code += "q, g = np.repeat(np.arange(150), 4), np.tile([0, 0, 1, 0], 150)\ns = g + r.normal(0, 1, 600)\n"
    read = written(ask, code + "evaluation.evaluate_ranking(q, g, s, k=3, resamples=60)", tmp_path)
    group, further = read["ranking_metrics"], read["further_metrics"]
    whole = ask(START + code + "result = ranking.ranking(q, g, s, 3)")
    assert set(group) == {"ndcg", "map", "precision", "recall", "mrr", "hit_rate"}
    assert {name: each["value"] for name, each in group.items()} == pytest.approx({name: whole[name] for name in group})
    assert all(0 < each["standard_deviation"] < 0.1 for each in group.values())
    assert (further["k"], further["queries"], further["queries_without_relevant"]) == (3, 150, 0)
    by_k = further["by_k"]
    assert by_k["k"] == [1, 2, 3] and by_k["ndcg"][2] == pytest.approx(group["ndcg"]["value"])
    assert by_k["recall"] == sorted(by_k["recall"])
    expected = (1 + 1 / math.log2(3) + 1 / 2) / 4
    assert further["ndcg_of_random_order"] == pytest.approx(expected, abs=0.03)
    assert {plot.stem for plot in (tmp_path / "plots").iterdir()} == {"by_k", "ndcg"}


def test_clusters(ask: Ask, tmp_path: Path) -> None:
    code = "c = (np.arange(120) % 3)\np = np.stack([10 * c, -5 * c], axis=1) + r.normal(0, 1, (120, 2))\n"
    code += "k = np.where(np.arange(120) < 6, (c + 1) % 3, c)\n"
    read = written(ask, code + "evaluation.evaluate_clustering(p, k, classes=c, resamples=60)", tmp_path)
    group = read["clustering_metrics"]
    assert group["purity"]["value"] == pytest.approx(114 / 120) and 0 < group["purity"]["standard_deviation"] < 0.05
    assert 0.6 < group["silhouette"]["value"] < 1 and group["silhouette"]["standard_deviation"] == "NaN"
    assert read["further_metrics"] == {"clusters": 3, "rows": 120, "sizes": {"0": 40, "1": 40, "2": 40}}
    table = read["classes_of_clusters"]
    assert [table[each][each] for each in "012"] == [38, 38, 38]
    assert sum(sum(row.values()) for row in table.values()) == 120
    assert {plot.stem for plot in (tmp_path / "plots").iterdir()} == {"sizes", "classes"}
    code += "evaluation.evaluate_clustering(p, k)"
    assert set(written(ask, code, tmp_path / "alone")["clustering_metrics"]) == {
        "silhouette", "calinski_harabasz", "davies_bouldin",
    }  # fmt: skip

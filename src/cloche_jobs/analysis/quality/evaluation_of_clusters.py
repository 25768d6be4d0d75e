"""Clusters as ``evaluation.json``: how tight and far apart they are and, where classes are known, whether they agree.

Only the agreement has a spread: rows that are drawn twice lie at distance 0 of each other, so the bootstrap of a
measure of distances is not its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics.cluster import contingency_matrix

from cloche_jobs.analysis.quality import clustering, figures
from cloche_jobs.analysis.quality.arrays import Array, paired
from cloche_jobs.analysis.quality.bootstrap import with_spread
from cloche_jobs.analysis.quality.report import Evaluation

RESAMPLES = 200
_AGREEMENTS = ("adjusted_rand", "normalized_mutual_information", "homogeneity", "completeness", "v_measure", "purity")


def evaluate_clustering(
    points: Any,
    clusters: Any,
    *,
    classes: Any = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    title: str = "Clustering",
) -> Evaluation:
    """``points`` are rows of a matrix, with a cluster for each and, if known, a class."""
    shape = clustering.shape(points, clusters, seed=seed)
    assigned = np.asarray(clusters).astype(str)
    names, sizes = np.unique(assigned, return_counts=True)
    unsaid = float("nan")
    group: dict[str, Any] = {
        name: {"value": getattr(shape, name), "standard_deviation": unsaid}
        for name in ("silhouette", "calinski_harabasz", "davies_bouldin")
    }
    found = Evaluation({"clustering_metrics": group}, title=title)
    found.groups["further_metrics"] = {
        "clusters": shape.clusters,
        "rows": len(assigned),
        "sizes": dict(zip(names, sizes, strict=True)),
    }
    found.plots["sizes"] = figures.bars("Rows by cluster", "cluster", "rows", names, sizes)
    if classes is not None:
        known, assigned = paired(np.asarray(classes).astype(str), assigned)
        for name in _AGREEMENTS:
            group[name] = _agreement(name, known, assigned, resamples, seed)
        _against_classes(found, known, assigned)
    return found


def _agreement(name: str, known: Array, assigned: Array, resamples: int, seed: int) -> dict[str, float]:
    def of_rows(one: Array, other: Array) -> float:
        return float(getattr(clustering.agreement(one, other), name))

    return with_spread(of_rows, known, assigned, resamples=resamples, seed=seed)


def _against_classes(found: Evaluation, known: Array, assigned: Array) -> None:
    """A cluster in each row, each class in a column; a plot where there are as many of both."""
    table = contingency_matrix(known, assigned).T
    rows, columns = np.unique(assigned), np.unique(known)
    found.groups["classes_of_clusters"] = {
        row: dict(zip(columns, counts, strict=True)) for row, counts in zip(rows, table, strict=True)
    }
    if len(rows) == len(columns):
        found.plots["classes"] = figures.matrix("Classes of the clusters", "class", "cluster", columns, table)

"""Are clusters tight and apart, and do they agree with known classes?

Of the points alone: silhouette (Rousseeuw 1987), Calinski-Harabasz (1974), Davies-Bouldin (1979; lower is better).
Against classes: adjusted Rand index (Hubert and Arabie 1985), normalised mutual information, homogeneity,
completeness (Rosenberg and Hirschberg 2007), all scikit-learn's, and purity Σ_clusters max_class n / n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.metrics.cluster import contingency_matrix

from cloche_jobs.analysis.quality.arrays import paired

SILHOUETTE_ROWS_MAX = 10_000
"""Its cost grows with the square of the rows: beyond this it is that of a sample."""


@dataclass(frozen=True)
class Shape:
    clusters: int
    silhouette: float
    calinski_harabasz: float
    davies_bouldin: float


@dataclass(frozen=True)
class Agreement:
    adjusted_rand: float
    normalized_mutual_information: float
    homogeneity: float
    completeness: float
    v_measure: float
    purity: float


def shape(points: Any, clusters: Any, *, seed: int = 0) -> Shape:
    """Raises ``ValueError`` unless there are at least two clusters, and fewer than points."""
    matrix, assigned = np.asarray(points, dtype=float), np.asarray(clusters)
    count = len(np.unique(assigned))
    if matrix.ndim != 2 or len(matrix) != len(assigned):
        raise ValueError("points are rows of a matrix, with a cluster for each")
    if not 2 <= count < len(matrix):
        raise ValueError(f"{count} clusters of {len(matrix)} points have no shape to measure")
    sample = SILHOUETTE_ROWS_MAX if len(matrix) > SILHOUETTE_ROWS_MAX else None
    return Shape(
        count,
        float(metrics.silhouette_score(matrix, assigned, sample_size=sample, random_state=seed)),
        float(metrics.calinski_harabasz_score(matrix, assigned)),
        float(metrics.davies_bouldin_score(matrix, assigned)),
    )


def agreement(classes: Any, clusters: Any) -> Agreement:
    known, assigned = paired(classes, clusters)
    homogeneity, completeness, v_measure = metrics.homogeneity_completeness_v_measure(known, assigned)
    return Agreement(
        float(metrics.adjusted_rand_score(known, assigned)),
        float(metrics.normalized_mutual_info_score(known, assigned)),
        float(homogeneity),
        float(completeness),
        float(v_measure),
        float(contingency_matrix(known, assigned).max(axis=0).sum() / len(known)),
    )

"""Do probabilities mean what they say? Reliability, its error, and what the Brier score is made of.

Rows are put into bins by their score. ECE = Σ n_b/n · |mean label - mean score| and MCE its largest term (Naeini et
al. 2015, "Obtaining well calibrated probabilities using Bayesian binning"). The Brier score (Brier 1950) is the mean
of (score - label)²; over bins of equal scores it is reliability - resolution + uncertainty (Murphy 1973), with
reliability Σ n_b/n (s_b - y_b)², resolution Σ n_b/n (y_b - y)² and uncertainty y(1 - y).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cloche_jobs.analysis.quality.arrays import Array, binary


@dataclass(frozen=True)
class Calibration:
    """Of the bins that hold rows: how many, their mean score and their share of positives."""

    counts: Array
    mean_scores: Array
    shares: Array
    base_rate: float
    brier: float

    @property
    def expected_error(self) -> float:
        return float(np.average(np.abs(self.shares - self.mean_scores), weights=self.counts))

    @property
    def largest_error(self) -> float:
        return float(np.abs(self.shares - self.mean_scores).max())

    @property
    def reliability(self) -> float:
        return float(np.average((self.mean_scores - self.shares) ** 2, weights=self.counts))

    @property
    def resolution(self) -> float:
        return float(np.average((self.shares - self.base_rate) ** 2, weights=self.counts))

    @property
    def uncertainty(self) -> float:
        return self.base_rate * (1 - self.base_rate)


def calibration(labels: Any, scores: Any, bins: int = 10, *, equal_counts: bool = False) -> Calibration:
    """``bins`` of equal width between 0 and 1, or of about equal counts. Scores must be probabilities."""
    truth, given = binary(labels, scores)
    if given.min() < 0 or given.max() > 1:
        raise ValueError("calibration needs scores that are probabilities")
    edges = np.linspace(0, 1, bins + 1)
    if equal_counts:
        edges = np.unique(np.quantile(given, edges))
    # The last bin holds its upper edge; one score that is repeated may leave a single edge.
    place = np.clip(np.searchsorted(edges, given, side="right") - 1, 0, max(len(edges) - 2, 0))
    sizes = np.bincount(place, minlength=max(len(edges) - 1, 1))
    held = sizes > 0
    sums = np.bincount(place, weights=given, minlength=len(sizes))[held]
    positives = np.bincount(place, weights=truth, minlength=len(sizes))[held]
    counts = sizes[held]
    brier = float(((given - truth) ** 2).mean())
    return Calibration(counts, sums / counts, positives / counts, float(truth.mean()), brier)

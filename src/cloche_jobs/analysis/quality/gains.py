"""Who is reached first? Rows by falling score: captured positives, lift over chance, and how far apart the classes are.

Of the first share p of the rows, gain is the share of all positives among them and lift is gain / p (Berry and
Linoff, "Data Mining Techniques"). KS is the largest distance between the classes' distributions of scores, scipy's
two-sample Kolmogorov-Smirnov statistic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from cloche_jobs.analysis.quality.arrays import Array, binary, both_classes


@dataclass(frozen=True)
class Gains:
    """Cumulative, by parts of about equal size: the first holds the highest scores."""

    shares: Array
    """Of the rows, up to and with each part."""
    gains: Array
    lifts: Array
    response_rates: Array
    """Positives among the rows of each part alone."""


def gains(labels: Any, scores: Any, parts: int = 10) -> Gains:
    truth, given = binary(labels, scores)
    both_classes(truth)
    parts = min(parts, len(truth))
    ordered = truth[np.argsort(-given, kind="stable")]
    ends = np.linspace(0, len(ordered), parts + 1).round().astype(int)
    caught = np.append(0, np.cumsum(ordered))[ends]
    shares = ends[1:] / len(ordered)
    gained = caught[1:] / ordered.sum()
    return Gains(shares, gained, gained / shares, np.diff(caught) / np.diff(ends))


def kolmogorov_smirnov(labels: Any, scores: Any) -> float:
    truth, given = binary(labels, scores)
    both_classes(truth)
    return float(ks_2samp(given[truth], given[~truth]).statistic)

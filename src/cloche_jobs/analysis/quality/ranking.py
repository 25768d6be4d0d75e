"""Orders of items, one for each query: are the relevant ones first?

With gains g at ranks r = 1…k: DCG = Σ g/log2(r + 1), NDCG = DCG over that of the best order (Järvelin and Kekäläinen
2002; gains are the relevances themselves). For relevance yes/no: precision@k is relevant among the first k over k,
recall@k over all relevant; AP@k the mean of precision@r over the relevant ranks r ≤ k, over min(k, relevant) (Manning
et al., "Introduction to Information Retrieval", 8.4, cut at k); reciprocal rank 1/r of the first relevant. Equal
scores keep the order they came in. A query without relevant items says nothing and is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloche_jobs.analysis.quality.arrays import Array, numbers, paired


@dataclass(frozen=True)
class Ranking:
    """Means over queries, each query counting once."""

    k: int
    ndcg: float
    map: float
    precision: float
    recall: float
    mrr: float
    hit_rate: float
    """Queries with a relevant item among the first k."""
    queries: int
    without_relevant: int


def ranking(queries: Any, relevances: Any, scores: Any, k: int = 10) -> Ranking:
    """One row for each item of each query. Raises ``ValueError`` for a negative relevance."""
    if k < 1:
        raise ValueError("k must be at least 1")
    lists = ranked_lists(queries, relevances, scores)
    told = [each for each in lists if each.any()]

    def mean(measure: Callable[[Array, int], float]) -> float:
        return float(np.mean([measure(each, k) for each in told]))

    return Ranking(
        k,
        mean(ndcg_at),
        mean(average_precision_at),
        mean(precision_at),
        mean(recall_at),
        mean(reciprocal_rank_at),
        mean(lambda ranked, cut: float(ranked[:cut].any())),
        len(told),
        len(lists) - len(told),
    )


def ranked_lists(queries: Any, relevances: Any, scores: Any) -> list[Array]:
    """Each query's relevances by falling score. Raises ``ValueError`` where none of them has a relevant item."""
    groups, relevant = paired(queries, relevances)
    relevance, given = numbers(relevant, scores)
    if relevance.min() < 0:
        raise ValueError("a relevance may not be negative")
    _, group = np.unique(groups, return_inverse=True)
    order = np.lexsort((np.arange(len(given)), -given, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    lists = list(np.split(relevance[order], starts[1:]))
    if not any(each.any() for each in lists):
        raise ValueError("no query has a relevant item")
    return lists


def dcg_at(ranked: Any, k: int) -> float:
    """``ranked`` are relevances in the order that was given; so it is in all below."""
    first = np.asarray(ranked, dtype=float)[:k]
    return float((first / np.log2(np.arange(2, len(first) + 2))).sum())


def ndcg_at(ranked: Any, k: int) -> float:
    best = dcg_at(np.sort(np.asarray(ranked, dtype=float))[::-1], k)
    return dcg_at(ranked, k) / best if best else float("nan")


def precision_at(ranked: Any, k: int) -> float:
    return float((np.asarray(ranked)[:k] > 0).sum() / k)


def recall_at(ranked: Any, k: int) -> float:
    relevant = np.asarray(ranked) > 0
    return float(relevant[:k].sum() / relevant.sum()) if relevant.any() else float("nan")


def average_precision_at(ranked: Any, k: int) -> float:
    relevant = np.asarray(ranked) > 0
    if not relevant.any():
        return float("nan")
    first = relevant[:k]
    precisions = np.cumsum(first) / np.arange(1, len(first) + 1)
    return float((precisions * first).sum() / min(k, relevant.sum()))


def reciprocal_rank_at(ranked: Any, k: int) -> float:
    hits = np.flatnonzero(np.asarray(ranked)[:k] > 0)
    return float(1 / (hits[0] + 1)) if hits.size else 0.0

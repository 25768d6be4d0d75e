"""Orders of items as ``evaluation.json``: means over queries, with the spread of drawing other queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cloche_jobs.analysis.quality import figures, ranking
from cloche_jobs.analysis.quality.arrays import Array
from cloche_jobs.analysis.quality.bootstrap import with_spread
from cloche_jobs.analysis.quality.figures import Curve
from cloche_jobs.analysis.quality.report import Evaluation

RESAMPLES = 200
SHUFFLES = 20
_MEASURES: dict[str, Callable[[Array, int], float]] = {
    "ndcg": ranking.ndcg_at,
    "map": ranking.average_precision_at,
    "precision": ranking.precision_at,
    "recall": ranking.recall_at,
    "mrr": ranking.reciprocal_rank_at,
    "hit_rate": lambda ranked, k: float((ranked[:k] > 0).any()),
}


def evaluate_ranking(
    queries: Any,
    relevances: Any,
    scores: Any,
    *,
    k: int = 10,
    resamples: int = RESAMPLES,
    seed: int = 0,
    title: str = "Ranking",
) -> Evaluation:
    """One row for each item of each query. Queries without a relevant item are counted and left out."""
    whole = ranking.ranking(queries, relevances, scores, k)
    told = [each for each in ranking.ranked_lists(queries, relevances, scores) if each.any()]

    def of_queries(measure: Callable[[Array, int], float]) -> dict[str, float]:
        values = np.asarray([measure(each, k) for each in told])
        return with_spread(lambda drawn: float(drawn.mean()), values, resamples=resamples, seed=seed)

    cuts = np.arange(1, k + 1)
    by_cut = {
        name: [float(np.mean([_MEASURES[name](each, int(cut)) for each in told])) for cut in cuts]
        for name in ("ndcg", "precision", "recall")
    }
    found = Evaluation({"ranking_metrics": {name: of_queries(each) for name, each in _MEASURES.items()}}, title=title)
    found.groups["further_metrics"] = {
        "k": k,
        "queries": whole.queries,
        "queries_without_relevant": whole.without_relevant,
        "ndcg_of_random_order": _of_chance(told, k, seed),
        "by_k": {"k": cuts, **by_cut},
    }
    lines = [Curve(name, cuts, values) for name, values in by_cut.items()]
    found.plots["by_k"] = figures.curves("By the number of items looked at", "k", "mean over queries", lines)
    each_ndcg = [ranking.ndcg_at(each, k) for each in told]
    counts, edges = np.histogram(each_ndcg, bins=10, range=(0.0, 1.0))
    names = [f"{edge:.1f}" for edge in edges[:-1]]
    found.plots["ndcg"] = figures.bars(f"NDCG@{k} of the queries", "from", "queries", names, counts)
    return found


def _of_chance(told: list[Array], k: int, seed: int) -> float:
    """What an order that knows nothing gets, as the mean of shuffles."""
    source = np.random.default_rng(seed)
    drawn = [ranking.ndcg_at(source.permutation(each), k) for each in told for _ in range(SHUFFLES)]
    return float(np.mean(drawn))

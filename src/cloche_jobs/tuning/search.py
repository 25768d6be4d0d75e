"""Proposes points: a Gaussian process and its expected improvement. Run beside the server, never imported by it.

Reads questions and writes answers, a line of JSON each. A question holds everything the answer depends on, so the
program keeps nothing and may be ended and begun again between any two:

    {"dimensions": [["number", 0] | ["steps", 11] | ["choice", 3], …],   0: continuous; else how many values there are
     "points": [[0.25, 0.7, …], …], "losses": [0.31, …], "noise": [0.0, …],
     "pending": [[0.5, 0.1, …], …], "seed": [7, 0, 12]}
    {"point": [0.31, 0.66, …]}

Points lie in the unit cube (the caller knows scales and names; a choice of ``n`` is in ``n`` equal parts of its axis).
Losses are to be small. ``noise`` is how little a point is to be believed, in standard deviations of all losses.

Snoek et al., Practical Bayesian Optimization of Machine Learning Algorithms (2012): a Matérn 5/2 kernel with a length
for each axis, expected improvement as what to look for. Points under way are taken to end as the model expects
(Ginsbourger et al., Kriging is well-suited to parallelize optimization, 2010).
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from scipy.special import ndtr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

Floats = Any
"""Arrays of numbers: a row for each point, or a number for each."""

POINTS_MAX: Final = 250
"""A model of more takes seconds; beyond it the best and the newest are kept."""
CANDIDATES: Final = 2_000
NEIGHBOURS: Final = 250
SPREADS: Final = (0.1, 0.03, 0.01, 0.003)
"""Of the neighbours looked at around the best candidates, one round each."""
OUTLIER: Final = 3.0
"""Losses farther above the median than so many times the way from the best to it say no more than that they are bad."""


class Axes:
    """The cube's axes, and the same points as the model sees them: a choice has an axis for each of its values."""

    def __init__(self, dimensions: Sequence[tuple[str, int]]) -> None:
        self.dimensions = [(str(kind), int(count)) for kind, count in dimensions]

    def snapped(self, points: Floats) -> Floats:
        """To the middles of the steps that whole numbers and choices have."""
        points = points.copy()
        for axis, (_, count) in enumerate(self.dimensions):
            if count:
                points[:, axis] = (np.floor(np.clip(points[:, axis], 0, 1 - 1e-12) * count) + 0.5) / count
        return points

    def features(self, points: Floats) -> Floats:
        columns: list[Floats] = []
        for axis, (kind, count) in enumerate(self.dimensions):
            column = points[:, axis]
            if kind == "choice":
                chosen = np.floor(np.clip(column, 0, 1 - 1e-12) * count).astype(int)
                columns += [np.where(chosen == value, 0.7, 0.0) for value in range(count)]
            else:
                columns.append(column)
        return np.column_stack(columns)

    def scattered(self, count: int, random: np.random.Generator) -> Floats:
        return self.snapped(random.random((count, len(self.dimensions))))

    def near(self, points: Floats, spread: float, count: int, random: np.random.Generator) -> Floats:
        """Neighbours that differ in some axes; a choice may become any other."""
        base = points[random.integers(len(points), size=count)]
        moved = base + random.normal(0.0, spread, base.shape)
        for axis, (kind, steps) in enumerate(self.dimensions):
            if kind == "choice":
                moved[:, axis] = np.where(random.random(count) < 0.3, random.random(count), base[:, axis])
            elif steps:
                step = np.where(random.random(count) < 0.5, random.integers(-1, 2, count) / steps, 0.0)
                moved[:, axis] = np.where(spread * steps < 1, base[:, axis] + step, moved[:, axis])
        kept = random.random(base.shape) < max(0.0, 1 - 3 / base.shape[1])
        moved = np.where(kept, base, np.where((moved < 0) | (moved > 1), np.abs(2 * (moved > 1) - moved), moved))
        return self.snapped(np.clip(moved, 0, 1))


def propose(question: dict[str, Any]) -> list[float]:
    """The point to try next."""
    axes = Axes(question["dimensions"])
    random = np.random.default_rng(question["seed"])
    points, losses, noise = _kept(question, len(axes.dimensions))
    pending = np.array(question.get("pending") or [], dtype=float).reshape(-1, len(axes.dimensions))
    known = {_key(point) for point in axes.snapped(np.vstack([points, pending]))}
    if len(points) < 2 or np.ptp(losses) == 0:
        return _farthest(axes, axes.scattered(CANDIDATES, random), np.vstack([points, pending]), known)
    scaled = _scaled(losses)
    model = _model(axes.features(points), scaled, noise, random)
    if len(pending):
        believed = model.predict(axes.features(pending))
        model = _again(model, np.vstack([points, pending]), np.append(scaled, believed), noise, axes)
    best = float(np.min(model.predict(axes.features(points))))

    def worth(candidates: Floats) -> Floats:
        return _expected_improvement(model, axes.features(candidates), best)

    found = axes.scattered(CANDIDATES, random)
    good = points[np.argsort(losses)[:5]]
    for spread in SPREADS:
        found = np.vstack([found, axes.near(good, spread, NEIGHBOURS, random)])
        order = np.argsort(-worth(found), kind="stable")
        found = found[order]
        good = np.vstack([found[:5], points[np.argsort(losses)[:2]]])
    return _first_new(found, known)


def _kept(question: dict[str, Any], width: int) -> tuple[Floats, Floats, Floats]:
    points = np.array(question["points"], dtype=float).reshape(-1, width)
    losses = np.array(question["losses"], dtype=float)
    noise = np.array(question.get("noise") or [0.0] * len(losses), dtype=float)
    if len(points) > POINTS_MAX:
        newest = set(range(len(points) - POINTS_MAX // 2, len(points)))
        best = [int(at) for at in np.argsort(losses) if int(at) not in newest][: POINTS_MAX - len(newest)]
        at = sorted([*best, *newest])
        points, losses, noise = points[at], losses[at], noise[at]
    return points, losses, noise


def _scaled(losses: Floats) -> Floats:
    middle = float(np.median(losses))
    reach = middle - float(np.min(losses))
    bounded = np.minimum(losses, middle + OUTLIER * reach) if reach > 0 else losses
    return np.asarray((bounded - np.mean(bounded)) / (np.std(bounded) or 1.0))


def _model(features: Floats, losses: Floats, noise: Floats, random: np.random.Generator) -> Any:
    width = features.shape[1]
    kernel = ConstantKernel(1.0, (0.1, 20.0)) * Matern(np.full(width, 0.5), (0.2, 8.0), nu=2.5)
    kernel = kernel + WhiteKernel(1e-3, (1e-6, 0.3))
    model = GaussianProcessRegressor(
        kernel, alpha=1e-8 + noise**2, n_restarts_optimizer=1, random_state=int(random.integers(2**31))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound: an axis that does not matter
        return model.fit(features, losses)


def _again(model: Any, points: Floats, losses: Floats, noise: Floats, axes: Axes) -> Any:
    """The same model with points under way added: what they will bring is not known to be new."""
    alpha = np.append(1e-8 + noise**2, np.full(len(points) - len(noise), 1e-6))
    return GaussianProcessRegressor(model.kernel_, alpha=alpha, optimizer=None).fit(axes.features(points), losses)


def _expected_improvement(model: Any, features: Floats, best: float) -> Floats:
    mean, spread = model.predict(features, return_std=True)
    spread = np.maximum(spread, 1e-9)
    gain = (best - mean) / spread
    density = np.exp(-0.5 * gain**2) / np.sqrt(2 * np.pi)
    return np.asarray(spread * (gain * ndtr(gain) + density))


def _farthest(axes: Axes, candidates: Floats, tried: Floats, known: set[tuple[float, ...]]) -> list[float]:
    """Where nothing is known to be better than anything, the candidate least like all that was tried."""
    if not len(tried):
        return _first_new(candidates, known)
    features, others = axes.features(candidates), axes.features(tried)
    nearest = np.min(np.sum((features[:, None, :] - others[None, :, :]) ** 2, axis=2), axis=1)
    return _first_new(candidates[np.argsort(-nearest, kind="stable")], known)


def _first_new(candidates: Floats, known: set[tuple[float, ...]]) -> list[float]:
    """The best that has not been tried; where all have been, the best."""
    for candidate in candidates:
        if _key(candidate) not in known:
            return [float(each) for each in candidate]
    return [float(each) for each in candidates[0]]


def _key(point: Floats) -> tuple[float, ...]:
    return tuple(np.round(point, 9).tolist())


def main() -> None:
    for line in sys.stdin:
        print(json.dumps({"point": propose(json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()

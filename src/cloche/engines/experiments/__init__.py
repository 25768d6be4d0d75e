"""Runs of experiments: which trials a trial component is part of, and the series of numbers logged to it."""

from __future__ import annotations

from cloche.engines.experiments import memberships, series, summaries
from cloche.engines.experiments.series import Point

MIGRATIONS = [*memberships.MIGRATIONS, *series.MIGRATIONS]

__all__ = ["MIGRATIONS", "Point", "memberships", "series", "summaries"]

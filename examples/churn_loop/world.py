"""The world outside: customers who are asked about, and what becomes of them, told a day late.

Synthetic, by the rule in ``examples/churn/generator.py``: on one day the customers begin to change, a day later the
reasons for which they leave; four days later both are other than what the first model has learned.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "churn"), str(HERE.parent / "churn" / "steps")]
import generator  # noqa: E402
import prepare  # noqa: E402

DRIFT_DAYS = 3
NUMBERS = [
    name
    for name in generator.Row.__dataclass_fields__
    if name not in (prepare.LABEL, prepare.GROUP, "month", *prepare.CATEGORIES)
]


def drift(day, begins):
    """How far customers and reasons have moved on that day: (shift, concept), each from 0 to 1."""
    shift = min(max((day - begins) / DRIFT_DAYS, 0.0), 1.0)
    return shift, min(max((day - begins - 1) / DRIFT_DAYS, 0.0), 1.0)


def day_of_customers(day, count, seed, begins):
    """So many rows of a day, as raw data has them once it is known who left. On day ``begins`` the drift begins."""
    shift, concept = drift(day, begins)
    rows = []
    for row in generator.rows(count, seed, shift=shift, concept=concept, month=100 + day):
        rows.append(asdict(row))
        if len(rows) == count:
            break
    return pd.DataFrame(rows)


def features(raw):
    """Label and features as the model reads them, by the very code that prepares its training data."""
    return prepare.encode(raw, NUMBERS, {})


def area(labels, scores):
    """The area under the ROC curve: how often a row that left scores above one that stayed (a tie counts half)."""
    ranks = pd.Series(scores).rank()
    left = pd.Series(labels).astype(bool)
    ones, zeros = int(left.sum()), int((~left).sum())
    return float("nan") if not ones or not zeros else (ranks[left].sum() - ones * (ones + 1) / 2) / (ones * zeros)

"""Customers of a telephone company, some of whom leave: a synthetic data set, made from a seed.

NOTHING HERE IS REAL. No person, company or measurement stands behind a row; the rule by which customers leave is
written below, so that what a model finds can be held against the truth.

    python generator.py --customers 3000 --seed 7 > churn.csv

**Rows.** A row is one customer in one month; a customer appears in one to three consecutive months. Rows of one
customer resemble each other, so a split by rows leaks: split by ``customer_id``.

**The rule.** Whether a customer leaves in the month after is a coin with the odds of ``leaving``: a logistic function
of the month's columns, with two interactions (support calls weigh more where the contract is monthly; a price above
what the plan is worth weighs more for newcomers) and a part nobody can see. That unseen part bounds what any model can
reach: with the true odds the AUC is about 0.89.

**Dirt,** as files have it: 2 % of the numbers are missing, some categories are written in other ways (``Two Year``,
`` two-year``), 1 % of the rows come twice.

**Drift.** ``--shift`` (0 to 1) moves the customers: cheaper plans, more data, more support calls. ``--concept`` (0 to
1) moves the rule: a price cut elsewhere makes long contracts leave and support calls matter less. Both leave the file's
form as it is.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Final, TextIO

REGIONS: Final = ("north", "east", "south", "west")
CHANNELS: Final = ("shop", "web", "partner", "phone")
CONTRACTS: Final = ("month-to-month", "one-year", "two-year")
PLANS: Final = {"basic": 18.0, "plus": 31.0, "premium": 49.0}
"""What a plan is worth, in euro a month."""
SPELLINGS: Final = {
    "two-year": ("Two Year", " two-year", "two_year"),
    "one-year": ("One Year", "one-year "),
    "month-to-month": ("Month-to-month", "monthly"),
}
MISSING_SHARE: Final = 0.02
MISSPELT_SHARE: Final = 0.03
TWICE_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """One customer in one month. Minutes and data are the month's, charges in euro, ages in months."""

    customer_id: str
    month: int
    region: str
    channel: str
    contract: str
    plan: str
    tenure_months: int
    monthly_charge: float
    data_gb: float
    day_minutes: float
    evening_minutes: float
    international_minutes: float
    international_plan: str
    support_calls: int
    late_payments: int
    device_age_months: int
    churned: int


def rows(customers: int, seed: int, *, shift: float = 0.0, concept: float = 0.0, month: int = 0) -> Iterator[Row]:
    """Clean rows, customer by customer. ``month`` is that of the first row of each."""
    numbers = random.Random(f"{seed}/{month}")
    for number in range(customers):
        yield from _customer(f"C{month:02d}{number:06d}", numbers, shift, concept, month)


def leaving(row: Row, concept: float = 0.0) -> float:
    """The odds' logarithm of leaving in the month after, without the part nobody can see."""
    monthly = row.contract == "month-to-month"
    price = row.monthly_charge - PLANS[row.plan]
    by_contract = {"month-to-month": 1.2, "one-year": -0.9 + 2.2 * concept, "two-year": -2.4 + 4.0 * concept}
    odds = -3.6 + by_contract[row.contract]
    odds += (0.62 - 0.3 * concept) * row.support_calls * (1.5 if monthly else 1.0)
    odds += 0.22 * price * (1.9 if row.tenure_months < 12 else 1.0)
    odds += 0.7 * row.late_payments
    odds += 0.035 * max(row.device_age_months - 24, 0)
    odds -= 0.02 * min(row.tenure_months, 60)
    odds += 1.2 * (row.international_plan == "no") * min(row.international_minutes / 60.0, 2.0)
    return odds - 0.012 * min(row.data_gb, 50.0)


def _customer(name: str, numbers: random.Random, shift: float, concept: float, month: int) -> Iterator[Row]:
    contract = numbers.choices(CONTRACTS, (0.5 + 0.15 * shift, 0.3, 0.2))[0]
    plan = numbers.choices(tuple(PLANS), (0.35 + 0.5 * shift, 0.4, 0.25))[0]
    tenure = int(numbers.expovariate(1 / 26.0)) + 1
    charge = PLANS[plan] + numbers.gauss(1.5 + 3.0 * shift, 4.0)
    device = numbers.randrange(48)
    data = numbers.lognormvariate(2.2 + 0.6 * shift, 0.7)
    unhappy = numbers.expovariate(1.0)
    abroad = numbers.random() < 0.35
    plan_abroad = "yes" if abroad and numbers.random() < 0.6 else "no"
    hidden = numbers.gauss(0.0, 0.5)
    region, channel = numbers.choice(REGIONS), numbers.choices(CHANNELS, (4, 3, 2, 1))[0]
    for offset in range(numbers.randint(1, 3)):
        seen = Row(
            customer_id=name,
            month=month + offset,
            region=region,
            channel=channel,
            contract=contract,
            plan=plan,
            tenure_months=tenure + offset,
            monthly_charge=round(max(charge + numbers.gauss(0, 0.5), 5.0), 2),
            data_gb=round(data * numbers.uniform(0.7, 1.3), 2),
            day_minutes=round(max(numbers.gauss(180, 50), 0.0), 1),
            evening_minutes=round(max(numbers.gauss(200, 60), 0.0), 1),
            international_minutes=round(numbers.expovariate(1 / 45.0), 1) if abroad else 0.0,
            international_plan=plan_abroad,
            support_calls=_poisson(numbers, (0.8 + 0.7 * shift) * unhappy),
            late_payments=_poisson(numbers, 0.25),
            device_age_months=device + offset,
            churned=0,
        )
        leaves = numbers.random() < 1 / (1 + math.exp(-(leaving(seen, concept) + hidden)))
        yield Row(**{**asdict(seen), "churned": int(leaves)})
        if leaves:
            return


def _poisson(numbers: random.Random, mean: float) -> int:
    """Knuth's way: how many uniform numbers may be multiplied before the product falls below exp(-mean)."""
    bound, product, count = math.exp(-mean), numbers.random(), 0
    while product > bound and count < 12:
        product *= numbers.random()
        count += 1
    return count


def write(file: TextIO, customers: int, seed: int, *, shift: float = 0.0, concept: float = 0.0, month: int = 0) -> int:
    """The rows with their dirt, as CSV with a header; answers how many lines of data were written."""
    dirt = random.Random(f"dirt/{seed}/{month}")
    columns = [field.name for field in fields(Row)]
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in rows(customers, seed, shift=shift, concept=concept, month=month):
        cells = _soiled(asdict(row), dirt)
        for _ in range(2 if dirt.random() < TWICE_SHARE else 1):
            writer.writerow(cells)
            count += 1
    return count


def _soiled(cells: dict[str, object], dirt: random.Random) -> dict[str, object]:
    for name in ("monthly_charge", "data_gb", "day_minutes", "evening_minutes", "device_age_months"):
        if dirt.random() < MISSING_SHARE:
            cells[name] = ""
    if dirt.random() < MISSPELT_SHARE:
        cells["contract"] = dirt.choice(SPELLINGS[str(cells["contract"])])
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description="Synthetic customers, some of whom leave; see the head of the file.")
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--month", type=int, default=0)
    parser.add_argument("--shift", type=float, default=0.0, help="0 to 1: how far the customers have moved")
    parser.add_argument("--concept", type=float, default=0.0, help="0 to 1: how far the rule has moved")
    asked = parser.parse_args()
    write(sys.stdout, asked.customers, asked.seed, shift=asked.shift, concept=asked.concept, month=asked.month)


if __name__ == "__main__":
    main()

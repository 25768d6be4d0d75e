"""Processing step: a raw customers' file becomes three encoded ones, split so that no customer is in two of them.

Reads  /opt/ml/processing/input/*.csv
Writes /opt/ml/processing/{train,validation,test}/*.csv   label first, no header: what SageMaker's XGBoost reads
       /opt/ml/processing/report/preparation.json         what was dropped, filled and counted

Whatever is learned from data (the medians that fill gaps) is learned from the training rows alone.
"""

import argparse
import hashlib
import json
from pathlib import Path

import pandas as pd

ROOT = Path("/opt/ml/processing")
LABEL, GROUP = "churned", "customer_id"
CATEGORIES = {
    "region": ["north", "east", "south", "west"],
    "channel": ["shop", "web", "partner", "phone"],
    "contract": ["month-to-month", "one-year", "two-year"],
    "plan": ["basic", "plus", "premium"],
    "international_plan": ["no", "yes"],
}
SPELLINGS = {"monthly": "month-to-month"}
PLAN_PRICES = {"basic": 18.0, "plus": 31.0, "premium": 49.0}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--validation-share", type=float, default=0.15)
    parser.add_argument("--test-share", type=float, default=0.2)
    asked = parser.parse_args()

    raw = pd.concat([pd.read_csv(path) for path in sorted((ROOT / "input").rglob("*.csv"))], ignore_index=True)
    rows = raw.drop_duplicates().copy()
    report = {"rows_read": len(raw), "rows_twice": len(raw) - len(rows)}

    for name, known in CATEGORIES.items():
        tidy = rows[name].str.strip().str.lower().str.replace(r"[ _]", "-", regex=True).replace(SPELLINGS)
        report[f"{name}_misspelt"] = int((tidy != rows[name]).sum())
        unknown = sorted(set(tidy.dropna()) - set(known))
        if unknown:
            raise SystemExit(f"column {name} holds {unknown}: known are {known}")
        rows[name] = tidy

    parts = split(rows, asked.validation_share, asked.test_share)
    numbers = [name for name in rows.columns if name not in (LABEL, GROUP, "month", *CATEGORIES)]
    medians = parts["train"][numbers].median()
    report["filled"] = {name: int(count) for name, count in rows[numbers].isna().sum().items() if count}
    for name, part in parts.items():
        encoded = encode(part, numbers, medians)
        folder = ROOT / name
        folder.mkdir(parents=True, exist_ok=True)
        encoded.to_csv(folder / f"{name}.csv", index=False, header=False)
        report[f"{name}_rows"], report[f"{name}_churn"] = len(encoded), round(float(encoded[LABEL].mean()), 4)
    report["features"] = list(encoded.columns[1:])
    report["customers_in_two_parts"] = shared_customers(parts)
    (ROOT / "report").mkdir(parents=True, exist_ok=True)
    (ROOT / "report" / "preparation.json").write_text(json.dumps(report, indent=2))
    print(json.dumps(report))


def split(rows, validation_share, test_share):
    """By a hash of the customer, not of the row, and not by chance: a customer stays where it is in every run."""
    place = rows[GROUP].map(lambda name: int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32)
    kind = pd.cut(place, [0, test_share, test_share + validation_share, 1], labels=["test", "validation", "train"])
    return {name: rows[kind == name] for name in ("train", "validation", "test")}


def encode(part, numbers, medians):
    filled = part[numbers].fillna(medians)
    filled["overpaid"] = filled["monthly_charge"] - part["plan"].map(PLAN_PRICES)
    flags = {
        f"{name}={value}": (part[name] == value).astype(int) for name, known in CATEGORIES.items() for value in known
    }
    return pd.concat([part[[LABEL]], filled, pd.DataFrame(flags)], axis=1)


def shared_customers(parts):
    names = {name: set(part[GROUP]) for name, part in parts.items()}
    return len(names["train"] & names["test"]) + len(names["train"] & names["validation"])


if __name__ == "__main__":
    main()

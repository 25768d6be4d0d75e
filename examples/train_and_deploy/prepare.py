"""Split the data and write what SageMaker's built-in algorithms read: CSV, label first, no header.

Runs inside the XGBoost image's own environment (it has scikit-learn and pandas), so the demo itself needs neither.

    prepare.py OUT                      scikit-learn's bundled breast-cancer data (569 rows, label 1 = malignant)
    prepare.py OUT FILE.csv LABEL       the user's own: numeric columns, LABEL a column of two values
"""

import json
import sys
from pathlib import Path

import numpy as np


def bundled():
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return data.data, 1 - data.target, "scikit-learn's breast-cancer data (Wisconsin diagnostic)"


def users(file, label):
    import csv

    try:
        with open(file, newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{file} cannot be read: {error}")
    if len(rows) < 11:
        sys.exit(f"{file} has {max(len(rows) - 1, 0)} rows below its header; the demo needs at least ten")
    header, rows = rows[0][1], rows[1:]
    if label not in header:
        sys.exit(f"{file} has no column {label!r}; its columns are {', '.join(header)}")
    at = header.index(label)
    values = sorted({row[at] for _, row in rows if len(row) > at})
    if len(values) != 2:
        sys.exit(f"column {label!r} of {file} has {len(values)} values; this demo trains on labels of two")
    features = []
    for number, row in rows:
        if len(row) != len(header):
            sys.exit(f"line {number} of {file} has {len(row)} cells, its header {len(header)}")
        try:
            features.append([float(cell) if cell else np.nan for at_, cell in enumerate(row) if at_ != at])
        except ValueError as error:
            sys.exit(f"line {number} of {file}: {error}; columns other than the label must be numbers")
    return np.array(features), np.array([values.index(row[at]) for _, row in rows]), f"{file} ({label} = {values[1]!r})"


def main():
    out = Path(sys.argv[1])
    features, labels, name = users(*sys.argv[2:4]) if len(sys.argv) > 2 else bundled()
    order = np.random.default_rng(20261125).permutation(len(labels))
    table = np.column_stack([labels, features])[order]
    first, second = int(0.6 * len(table)), int(0.8 * len(table))
    parts = {"train": table[:first], "validation": table[first:second], "test": table[second:]}
    for part, rows in parts.items():
        folder = out / part
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f"{part}.csv", rows, delimiter=",", fmt="%.17g")
    facts = {"name": name, "columns": features.shape[1], "rows": {part: len(rows) for part, rows in parts.items()}}
    (out / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()

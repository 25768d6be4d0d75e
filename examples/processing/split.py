"""A processing script: CSV rows (label first) become a training and a test set, scaled by what the first tells."""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--test-share", type=float, default=0.2)
share = parser.parse_args().test_share
root = Path("/opt/ml/processing")

rows = pd.concat([pd.read_csv(path, header=None) for path in sorted((root / "input" / "rows").rglob("*.csv"))])
train, test = train_test_split(rows, test_size=share, random_state=7, stratify=rows[0])
scaler = StandardScaler().fit(train.iloc[:, 1:])
for name, part in (("train", train), ("test", test)):
    scaled = pd.concat([part[0].reset_index(drop=True), pd.DataFrame(scaler.transform(part.iloc[:, 1:]))], axis=1)
    scaled.to_csv(root / "output" / name / f"{name}.csv", header=False, index=False)
    print(f"{name}: {len(part)} rows")
Path("/opt/ml/output/message").write_text(f"{len(train)} rows to train, {len(test)} to test")

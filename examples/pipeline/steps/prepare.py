"""Deals the rows out to training, validation and test."""

import argparse
import random
from pathlib import Path

options = argparse.ArgumentParser()
options.add_argument("--test-share", type=float, default=0.2)
share = options.parse_args().test_share
ML = Path("/opt/ml/processing")
rows = sorted(line for file in (ML / "input/rows").glob("*.csv") for line in file.read_text().split("\n") if line)
random.Random(7).shuffle(rows)
held = int(len(rows) * share)
parts = {"test": rows[:held], "validation": rows[held : 2 * held], "train": rows[2 * held :]}
for name, lines in parts.items():
    (ML / name / f"{name}.csv").write_text("\n".join(lines) + "\n")
    print(f"{name}: {len(lines)} rows")

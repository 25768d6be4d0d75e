"""Fits a line to the rows of one channel, and counts in another how often that was done."""

import json
import os
from pathlib import Path

import numpy as np

rows = np.loadtxt(Path(os.environ["SM_CHANNEL_TRAIN"]) / "rows.csv", delimiter=",")
state = Path(os.environ["SM_CHANNEL_STATE"]) / "model.json"
before = json.loads(state.read_text()) if state.exists() else {"runs": 0}
slope = float(np.polyfit(rows[:, 0], rows[:, 1], 1)[0])
state.write_text(json.dumps({"runs": before["runs"] + 1, "slope": slope}))
print(f"run {before['runs'] + 1}, slope {slope:.3f}")

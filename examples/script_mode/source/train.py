"""A training script as one writes it for SageMaker: its inputs, its model folder and its settings come from outside."""

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import RandomForestRegressor


def model_fn(model_dir):
    """Asked for by the model server: the model, loaded."""
    return joblib.load(Path(model_dir) / "forest.joblib")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", type=int, default=50)
    settings = parser.parse_args()
    table = np.loadtxt(Path(os.environ["SM_CHANNEL_TRAIN"]) / "train.csv", delimiter=",")
    target, features = table[:, 0], table[:, 1:]
    forest = RandomForestRegressor(settings.trees, oob_score=True, random_state=0).fit(features, target)
    print(f"out-of-bag r2={forest.oob_score_:.4f}")
    joblib.dump(forest, Path(os.environ["SM_MODEL_DIR"]) / "forest.joblib")

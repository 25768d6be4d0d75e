"""A SageMaker script-mode training script, as one writes it for AWS: nothing in it knows of Cloche."""

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def read(channel):
    table = np.vstack([np.loadtxt(file, delimiter=",", ndmin=2) for file in sorted(Path(channel).iterdir())])
    return table[:, 1:], table[:, 0]


def model_fn(model_dir):
    return joblib.load(Path(model_dir) / "model.joblib")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--strength", type=float, default=1.0, help="inverse of the regularisation")
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--validation", default=os.environ.get("SM_CHANNEL_VALIDATION"))
    args = parser.parse_args()

    features, labels = read(args.train)
    regression = LogisticRegression(C=args.strength, max_iter=1000)
    model = make_pipeline(SimpleImputer(), StandardScaler(), regression).fit(features, labels)
    held_features, held_labels = read(args.validation)
    auc = roc_auc_score(held_labels, model.predict_proba(held_features)[:, 1])
    print(f"validation-auc: {auc:.6f}")
    joblib.dump(model, Path(args.model_dir) / "model.joblib")

"""What the trained artefact itself says, without any server: plain xgboost loads it and predicts.

judge.py MODEL.tar.gz TEST.csv ANSWERS.json      prints the AUC on TEST and the largest difference to ANSWERS
"""

import json
import sys
import tarfile
import tempfile

import numpy as np
import xgboost
from sklearn.metrics import roc_auc_score


def main():
    archive, test, answers = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
        booster = xgboost.Booster(model_file=f"{folder}/xgboost-model")
    table = np.loadtxt(test, delimiter=",", ndmin=2)
    own = booster.predict(xgboost.DMatrix(table[:, 1:]))
    with open(answers) as file:
        given = np.array(json.load(file))
    facts = {
        "auc": float(roc_auc_score(table[:, 0], given)),
        "own_auc": float(roc_auc_score(table[:, 0], own)),
        "difference": float(np.max(np.abs(own - given))),
        "rows": len(table),
        "xgboost": xgboost.__version__,
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()

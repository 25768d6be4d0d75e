import pandas as pd


def read(folder):
    """(features, labels) of the CSV files in ``folder``."""
    rows = pd.concat([pd.read_csv(path, header=None) for path in sorted(folder.glob("*.csv"))])
    return rows.iloc[:, 1:].to_numpy(), rows[0].to_numpy()

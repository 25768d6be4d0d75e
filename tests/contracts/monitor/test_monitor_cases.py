"""The analyzer against what AWS's wrote (``../shared/reference/cases``; skipped where they are not)."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.images import EnvironmentBuilder

from .conftest import BARE_CSV, CAPTURE, CASES, CHURN, CSV, Analyze, captured

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/reference/cases is not there")

_PREDICT = """
import sys
import numpy as np, xgboost
model = xgboost.Booster(model_file=sys.argv[1])
rows = np.loadtxt(sys.argv[2], delimiter=",")
print("\\n".join(str(each) for each in model.predict(xgboost.DMatrix(rows)).tolist()))
"""


def case(name: str) -> Path:
    (folder,) = CASES.glob(f"{name}-*")
    return folder


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def traffic() -> list[tuple[str, str]]:
    """(prediction, request) of each line of the churn traffic, by the model that AWS's runs were of."""
    python = EnvironmentBuilder().ensure("xgboost-1.7", print).python
    rows = CHURN / "test-dataset-input-cols.csv"
    command = [str(python), "-P", "-c", _PREDICT, str(CHURN / "xgb-churn-model.json"), str(rows)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return list(zip(said, rows.read_text().splitlines(), strict=True))


def without_data(document: Any) -> Any:
    """A sketch's values told by the sizes of its levels, as the case keeps them."""
    if isinstance(document, dict):
        return {
            "data_level_sizes" if key == "data" else key: [len(level) for level in value]
            if key == "data"
            else without_data(value)
            for key, value in document.items()
        }
    return [without_data(each) for each in document] if isinstance(document, list) else document


def test_a_baseline_of_2333_rows_is_aws_own_to_the_last_digit(analyze: Analyze) -> None:
    ended = analyze({"train.csv": (CHURN / "training-dataset-with-header.csv").read_text()}, format=CSV)
    assert (ended.code, ended.message) == (0, "Completed: Job completed successfully with no violations.")
    expected = case("mm-dq-01") / "expected"
    assert json.dumps(ended.document("constraints.json")) == json.dumps(read(expected / "constraints.json"))
    written = ended.document("statistics.json")
    assert (written["version"], written["dataset"]) == (0.0, {"item_count": 2333})
    with_values = cut = 0
    for theirs in read(expected / "statistics.first33.json")["features"]:
        ours = ended.feature(theirs["name"])
        sketch = theirs["numerical_statistics"]["distribution"]["kll"].get("sketch", {})
        if "data" in sketch:
            assert json.dumps(ours) == json.dumps(theirs)
            with_values += 1
        elif "data_level_sizes" in sketch:
            assert json.dumps(without_data(ours)) == json.dumps(theirs)
        else:
            cut += 1  # where AWS's log cut the sketch out
            kept = theirs["numerical_statistics"]["distribution"]["kll"]["buckets"]
            assert ours["numerical_statistics"]["distribution"]["kll"]["buckets"] == kept
    assert (with_values, cut) == (2, 4)


def test_a_baseline_of_a_hundred_rows_is_aws_own_in_every_value(analyze: Analyze) -> None:
    folder = case("mm-dq-03")
    ended = analyze({"a.csv": (folder / "input/baseline_dataset.csv").read_text()}, format=BARE_CSV)
    for name in ("statistics.json", "constraints.json"):
        assert json.dumps(ended.document(name)) == json.dumps(read(folder / "expected" / name))


@pytest.mark.parametrize("is_good", [True, False])
def test_constraints_of_another_type_are_violated(analyze: Analyze, is_good: bool) -> None:
    folder = case("mm-dq-03")
    constraints = folder / ("expected/constraints.json" if is_good else "input/constraints_bad.json")
    rows = (folder / "input/baseline_dataset.csv").read_text()
    statistics = read(folder / "expected/statistics.json")
    ended = analyze({"a.csv": rows}, format=BARE_CSV, constraints=read(constraints), statistics=statistics)
    assert [each["feature_name"] for each in ended.violations] == ([] if is_good else ["_c5"])


def test_sixty_columns_of_churn_violate_their_type(analyze: Analyze, traffic: list[tuple[str, str]]) -> None:
    baseline = analyze({"train.csv": (CHURN / "training-dataset-with-header.csv").read_text()}, format=CSV)
    shares = {each["observed_integral_percent"] for each in read(case("mm-dq-02") / "expected/runs.json").values()}
    counts = {
        rows for rows in range(500, 4000) if 100.0 * (1 - -(-rows // 334) / rows) in shares or _share(rows) in shares
    }
    rows = min(counts)
    lines = [captured(*traffic[number % len(traffic)]) for number in range(rows)]
    run = analyze(
        {"churn/AllTraffic/2022/04/18/00/a.jsonl": "".join(lines)},
        format=CAPTURE,
        constraints=baseline.document("constraints.json"),
        statistics=baseline.document("statistics.json"),
    )
    assert run.message == "CompletedWithViolations: Job completed successfully with 60 violations."
    assert {each["constraint_check_type"] for each in run.violations} == {"data_type_check"}
    told = {each["feature_name"]: each["description"] for each in run.violations}
    assert len(told) == 60
    start = "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. "
    assert told.pop("Churn") == f"{start}Observed: Only 0.0% of data is Integral."
    assert set(told.values()) == {f"{start}Observed: Only {_share(rows)}% of data is Integral."}
    header = next(csv.reader([(CHURN / "training-dataset-with-header.csv").read_text().splitlines()[0]]))
    assert set(told) <= set(header) and "VMail Message" in told and sum("State_" in name for name in told) == 51


def _share(rows: int) -> float:
    """Of the rows that are no headers, in percent, as Java computes it."""
    return (rows - -(-rows // 334)) / rows * 100


def test_columns_are_compared_by_place_with_the_output_first(analyze: Analyze) -> None:
    """mm-dq-07 (a): the target is last in the baseline, and so every name is one place off."""
    names = ["crim", "zn", "indus", "chas", "nox", "age", "rm", "dis", "rad", "tax", "ptratio", "lstat", "medv"]
    types = {"zn": "Fractional", "chas": "Integral", "rad": "Integral"}
    features = [{"name": name, "inferred_type": types.get(name, "Fractional"), "completeness": 1.0} for name in names]
    request = "0.00632,18.00,2.310,0,0.5380,6.5750,65.20,4.0900,1,296.0,15.30,-4.98"
    run = analyze({"a.jsonl": captured("30.1", request)}, format=CAPTURE, constraints={"features": features})
    expected = read(case("mm-dq-07") / "expected/violations_a.json")["violations"]
    key = lambda each: each["feature_name"]  # noqa: E731
    assert sorted(run.violations, key=key) == sorted(expected, key=key)


def test_percentages_print_as_java_doubles(analyze: Analyze) -> None:
    features = [{"name": name, "inferred_type": "Integral", "completeness": 1.0} for name in ("label", *"abcd")]
    lines = [captured("1", f"1,2,{3 + number % 3 // 2 / 2:g},{4 + number % 3 // 2 / 2:g}") for number in range(18)]
    run = analyze({"a.jsonl": "".join(lines)}, format=CAPTURE, constraints={"features": features})
    expected = read(case("mm-dq-07") / "expected/violations_b.json")["violations"]
    key = lambda each: each["feature_name"]  # noqa: E731
    assert sorted(run.violations, key=key) == sorted(expected, key=key)


def test_numbers_where_strings_were(analyze: Analyze) -> None:
    """mm-dq-07 (c)."""
    features = [{"name": "value", "inferred_type": "String", "completeness": 1.0}]
    run = analyze({"a.jsonl": captured("1.5", "")}, format=CAPTURE, constraints={"features": features})
    assert [each["description"] for each in run.violations] == [
        "Data type match requirement is not met. Expected data type: String, Expected match: 100.0%. Observed: Only "
        "0.0% of data is String."
    ]


def test_old_documents_are_read(analyze: Analyze) -> None:
    """mm-dq-04: constraints of 2019, whose names were changed since, and what AWS wrote of strings."""
    folder = case("mm-dq-04") / "expected"
    text = "preproc-not-YET-supported-for-csv-json"
    rows = "message\n" + f"{text}\n" * 418
    baseline = analyze({"a.csv": rows}, format=CSV)
    assert baseline.document("statistics.json") == read(folder / "statistics.json")
    constraints = read(folder / "constraints.json")
    same = analyze({"a.csv": f"message,second_message\n{text},{text}\n"}, format=CSV, constraints=constraints)
    assert same.violations == []
    other = analyze({"a.csv": f"message,second_message\n{text},other\n"}, format=CSV, constraints=constraints)
    assert [(each["feature_name"], each["constraint_check_type"]) for each in other.violations] == [
        ("second_message", "categorical_values_check")
    ]

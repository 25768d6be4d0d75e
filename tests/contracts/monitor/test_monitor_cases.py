"""The analyzer against what AWS's wrote (``../shared/reference/cases``; skipped where they are not)."""

from __future__ import annotations

import csv
import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs import catalog

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


QUALITY = {
    "analysis_type": "MODEL_QUALITY",
    "problem_type": "BinaryClassification",
    "inference_attribute": "prediction",
    "probability_attribute": "probability",
    "ground_truth_attribute": "label",
}


def test_measures_of_a_binary_classifier(analyze: Analyze) -> None:
    ended = analyze({"a.csv": (CHURN / "validation_with_predictions.csv").read_text()}, format=CSV, **QUALITY)
    assert ended.message == "Completed: Job completed successfully with no violations."
    found = ended.document("statistics.json")["binary_classification_metrics"]
    for year in ("2021", "2023"):
        expected = read(case("mm-mq-02") / f"expected/baseline_metrics_{year}.json")
        for name, text in expected.items():
            first, _, rest = name.partition(".")
            if first == "confusion_matrix":
                row, _, column = rest.partition(".")
                assert found[first][row][column] == int(text)
            elif rest == "value":
                assert found[first]["value"] == pytest.approx(float(text), abs=1e-6), first
            elif rest.startswith("standard_dev"):
                assert (found[first]["standard_deviation"] > 0) is (float(text) > 0), first
            else:
                (key,) = (key for key in found[first] if key.startswith(rest.rstrip(".")))
                whole = [float(each) for each in re.findall(r"([0-9.]+),", text)]  # the last one is cut
                assert found[first][key][: len(whole)] == whole
    order = list(dict.fromkeys(name.partition(".")[0] for name in expected))
    assert list(found) == order
    assert found["auc"]["value"] == pytest.approx(0.9395127993393898, rel=1e-15)
    rows = [line.split() for line in (case("mm-mq-02") / "expected/constraints.txt").read_text().splitlines()[1:]]
    constraints = ended.document("constraints.json")["binary_classification_constraints"]
    assert [(name, each["comparison_operator"]) for name, each in constraints.items()] == [
        (name, operator) for name, _, operator in rows
    ]
    assert [each["threshold"] for each in constraints.values()] == pytest.approx(
        [float(row[1]) for row in rows], abs=1e-6
    )


@pytest.mark.parametrize(("year", "wording"), [("2023-03", "2023-03 (10)"), ("2021-05", "2021-05 (10)")])
def test_ten_violations_of_model_quality(
    analyze: Analyze, traffic: list[tuple[str, str]], year: str, wording: str
) -> None:
    """Traffic with ids, truths merged by id, and measures held against the baseline: three jobs, AWS's values."""
    replayed = read(case("mm-mq-02") / "expected/replayed_runs.json")[year]
    baseline = analyze({"a.csv": (CHURN / "validation_with_predictions.csv").read_text()}, format=CSV, **QUALITY)
    lines = [captured(*traffic[number % 334], inferenceId=str(number % 334)) for number in range(replayed["n"])]
    truths = "".join(truth(str(number)) for number in range(334))
    place = "churn/AllTraffic/2023/03/24/13"
    merged = analyze(
        {f"{place}/a.jsonl": "".join(lines)},
        format={"sagemakerCaptureJson": {"captureIndexNames": None}},
        image=catalog.MERGER,
        truths={"2023/03/24/13/4100.jsonl": truths},
        start_time="2026-11-26T10:00:00Z",
        end_time="2026-11-26T11:00:00Z",
    )
    assert (merged.code, merged.message) == (0, "")
    (part,) = merged.output.rglob("part-00000-*.c000.jsonl")
    assert str(part.parent.relative_to(merged.output)) == place
    run = analyze(
        {f"{place}/{part.name}": part.read_text()},
        format={"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}},
        constraints=baseline.document("constraints.json"),
        analysis_type="MODEL_QUALITY",
        problem_type="BinaryClassification",
        probability_attribute="0",
        probability_threshold_attribute="0.5",
        publish_cloudwatch_metrics="Enabled",
        sagemaker_endpoint_name="churn",
        sagemaker_monitoring_schedule_name="hourly",
    )
    assert run.message == "CompletedWithViolations: Job completed successfully with 10 violations."
    for violation in run.violations:
        words = violation["description"].split()
        (theirs,) = (
            each.split()
            for each in read(case("mm-mq-02") / "expected/violations.json")[wording]
            if words[1] in each.split()
        )
        assert words[:2] == theirs[:2] and words[7] == theirs[7] == violation["constraint_check_type"]
        value, threshold = float(words[3]), float(words[8].strip("'"))
        assert value == pytest.approx(float(theirs[3]), rel=1e-14), words
        assert threshold == pytest.approx(float(theirs[8].strip("'")), rel=1e-14), words
    assert {each["metric_name"] for each in run.violations} == {
        line.split()[1] for line in read(case("mm-mq-02") / "expected/violations.json")[wording]
    }
    names = (case("mm-mq-02") / "expected/cloudwatch_metric_names.txt").read_text().split()
    assert {each["MetricName"] for each in run.metrics} == set(names)


def truth(identity: str) -> str:
    """As the case's notebook draws it."""
    random.seed(int(identity))
    label = "1" if random.random() < 0.7 else "0"
    return (
        json.dumps(
            {
                "groundTruthData": {"data": label, "encoding": "CSV"},
                "eventMetadata": {"eventId": identity},
                "eventVersion": "0",
            }
        )
        + "\n"
    )


def test_merged_records_of_a_transform_are_aws_own(analyze: Analyze) -> None:
    theirs = read(case("mm-bias-01") / "expected/merged_record.json")
    data, identity = theirs["captureData"]["batchTransformOutput"]["data"], theirs["eventMetadata"]["eventId"]
    merged = analyze(
        {
            "2023/01/19/05/test.csv.out": "".join(
                f"{data},{each},2023-01-19T05:40:55Z\n" for each in (identity, "other")
            )
        },
        format={"csv": {"header": False}},
        image=catalog.MERGER,
        truths={
            "4341.jsonl": json.dumps(
                {"groundTruthData": theirs["groundTruthData"], "eventMetadata": {"eventId": identity}}
            )
        },
        start_time="2023-01-19T05:00:00Z",
        end_time="2023-01-19T06:00:00Z",
    )
    (part,) = (merged.output / "2023/01/19/05").iterdir()
    assert json.dumps(json.loads(part.read_text())) == json.dumps(theirs)

"""Every check of a data-quality run: when it fires, and when it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import BARE_CSV, CAPTURE, CSV, Analyze, Ended, captured

JSON_LINES = {"json": {"lines": True}}


def of(violations: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(each["feature_name"], each["constraint_check_type"]) for each in violations}


def against(analyze: Analyze, baseline: str, now: str, format: Any = CSV, **config: Any) -> Ended:
    """Rows held against a baseline of others; ``config`` is laid over ``monitoring_config``."""
    first = analyze({"a": baseline}, format=format)
    constraints = first.document("constraints.json")
    comparison = config.pop("distribution_constraints", {})
    constraints["monitoring_config"] |= config
    constraints["monitoring_config"]["distribution_constraints"] |= comparison
    return analyze({"a": now}, format=format, constraints=constraints, statistics=first.document("statistics.json"))


def test_completeness(analyze: Analyze) -> None:
    run = against(analyze, "a,b\n1,2\n3,4\n", "a,b\n1,\n3,4\n")
    assert [each["description"] for each in run.violations] == [
        "Completeness requirement is not met. Expected completeness: 100.0%. Observed: Only 50.0% of data is complete."
    ]
    assert run.message == "CompletedWithViolations: Job completed successfully with 1 violations."
    assert run.feature("b")["numerical_statistics"]["common"] == {"num_present": 1, "num_missing": 1}


def test_a_column_that_is_all_missing_is_unknown(analyze: Analyze) -> None:
    ended = analyze({"a.csv": "a,b\n1,\n2,\n"}, format=CSV)
    assert ended.feature("b") == {"name": "b", "inferred_type": "Unknown"}
    assert ended.feature("b", "constraints.json") == {"name": "b", "inferred_type": "Unknown", "completeness": 0.0}
    assert of(against(analyze, "a,b\n1,\n2,\n", "a,b\n1,5\n2,\n").violations) == set()


def test_missing_and_extra_columns_by_name(analyze: Analyze) -> None:
    run = against(analyze, "a,b\n1,2\n", "a,c\n1,2\n")
    assert of(run.violations) == {("Missing columns", "missing_column_check"), ("Extra columns", "extra_column_check")}
    missing = next(each for each in run.violations if each["feature_name"] == "Missing columns")
    assert missing["description"] == (
        "There are missing columns in current dataset. Number of columns in current dataset: 2, "
        "Number of columns in baseline constraints: 2. They are: b"
    )


@pytest.mark.parametrize(("row", "word"), [("1,2", "missing"), ("1,2,3,4", "extra")])
def test_missing_and_extra_columns_by_place(analyze: Analyze, row: str, word: str) -> None:
    first = analyze({"a": "a,b,c\n1,2,3\n"}, format=CSV)
    output, _, input = row.partition(",")
    run = analyze({"a": captured(output, input)}, format=CAPTURE, constraints=first.document("constraints.json"))
    assert [each["description"] for each in run.violations] == [
        f"There are {word} columns in current dataset. Number of columns in current dataset: {len(row.split(','))}, "
        "Number of columns in baseline constraints: 3"
    ]


def test_several_lines_of_csv_in_a_body_are_one_cell_as_aws_has_it(analyze: Analyze) -> None:
    first = analyze({"a": "a,b,c\n1,2,3\n"}, format=CSV)
    run = analyze(
        {"a": captured("1\n1\n", "2,3\n2,3\n")}, format=CAPTURE, constraints=first.document("constraints.json")
    )
    assert of(run.violations) == {("Missing columns", "missing_column_check")}


def test_csv_without_a_header_is_compared_by_place(analyze: Analyze) -> None:
    first = analyze({"a": "a,b\n1,x\n"}, format=CSV)
    constraints = first.document("constraints.json")
    run = analyze({"a": "y,z\n"}, format=BARE_CSV, constraints=constraints)
    assert of(run.violations) == {("a", "data_type_check"), ("b", "categorical_values_check")}
    assert [each["name"] for each in run.document("statistics.json")["features"]] == ["a", "b"]
    same = analyze({"a": "2,x\n"}, format=BARE_CSV, constraints=constraints)
    assert same.violations == []


def test_constraints_that_are_not_evaluated(analyze: Analyze) -> None:
    assert against(analyze, "a,b\n1,2\n", "a\nx\n", evaluate_constraints="Disabled").violations == []


def test_the_first_of_several_instances_does_all(analyze: Analyze) -> None:
    other = analyze({"a": "1\n"}, format=BARE_CSV, CURRENT_HOST="algo-2")
    assert (other.code, other.message, other.output.exists()) == (0, "", False)
    assert analyze({"a": "1\n"}, format=BARE_CSV, CURRENT_HOST="algo-1").message.startswith("Completed: ")


def test_domains(analyze: Analyze) -> None:
    words = "a\n" + "red\nblue\n" * 50
    assert of(against(analyze, words, "a\n" + "red\nblue\n" * 45 + "green\n" * 2).violations) == {
        ("a", "categorical_values_check")
    }
    relaxed = against(analyze, words, "a\n" + "red\nblue\n" * 45 + "green\n" * 2, domain_content_threshold=0.9)
    assert relaxed.violations == []


def test_a_domain_is_counted_among_more_values_than_are_kept(analyze: Analyze) -> None:
    words = "a\n" + "red\nblue\n" * 500
    run = against(analyze, words, "a\n" + "red\n" * 750 + "".join(f"word{number}\n" for number in range(250)))
    assert [each["description"] for each in run.violations if each["constraint_check_type"].startswith("cat")] == [
        "Categorical values requirement is not met. Expected match: 100.0%. Observed: Only 75.0% of data is in the "
        "domain of the baseline."
    ]
    assert run.feature("a")["string_statistics"]["distinct_count"] == 251.0
    assert "distribution" not in run.feature("a")["string_statistics"]
    assert "string_constraints" not in run.feature("a", "constraints.json")


def column(start: int, count: int) -> str:
    return "a\n" + "".join(f"{start + number}\n" for number in range(count))


def test_numbers_that_drifted(analyze: Analyze) -> None:
    """Both have 1,000 different values, and half of them lie beyond the baseline's."""
    run = against(analyze, column(0, 1000), column(500, 1000))
    distance = 0.5 - 1.8 * (2000 / 1_000_000) ** 0.5
    assert [each["description"] for each in run.violations] == [
        f"Baseline drift distance: {distance!r} exceeds threshold: 0.1"
    ]
    simple = against(
        analyze, column(0, 1000), column(500, 1000), distribution_constraints={"comparison_method": "Simple"}
    )
    assert "distance: 0.5 exceeds" in simple.violations[0]["description"]
    for off in ({"perform_comparison": "Disabled"}, {"comparison_threshold": 0.45}):
        assert against(analyze, column(0, 1000), column(500, 1000), distribution_constraints=off).violations == []


def test_few_values_hardly_ever_drift(analyze: Analyze) -> None:
    """Equal values collapse in Deequ's map of ranks: two values are two samples, however many rows there are."""
    run = against(analyze, "a\n" + "0\n1\n" * 5000, "a\n" + "0\n" * 9999 + "1\n")
    assert run.violations == []


def test_categories_that_drifted(analyze: Analyze) -> None:
    then, now = "a\n" + "x\ny\n" * 500, "a\n" + "x\n" * 800 + "y\n" * 200
    run = against(analyze, then, now)
    distance = 0.3 - 1.8 * (2000 / 1_000_000) ** 0.5
    assert run.violations[0]["constraint_check_type"] == "baseline_drift_check"
    told = float(run.violations[0]["description"].split()[3])
    assert told == pytest.approx(distance, rel=1e-12)


def test_categories_by_chi_square(analyze: Analyze) -> None:
    method = {"categorical_drift_method": "ChiSquared", "categorical_comparison_threshold": 0.05}
    then = "a\n" + "x\ny\nz\n" * 300
    run = against(analyze, then, "a\n" + "x\n" * 60 + "y\n" * 90 + "z\n" * 90, distribution_constraints=method)
    told = run.violations[0]["description"].split()
    assert told[:3] == ["Baseline", "drift", "p-value:"] and told[4:] == ["is", "below", "threshold:", "0.05"]
    assert float(told[3]) == pytest.approx(0.023517745856009, rel=1e-9)  # scipy.stats.chisquare([60, 90, 90])
    same = against(analyze, then, "a\n" + "x\ny\nz\n" * 40, distribution_constraints=method)
    assert same.violations == []


def test_a_baseline_writes_the_drift_method_that_is_asked_for(analyze: Analyze) -> None:
    ended = analyze({"a": "a\nx\n"}, format=CSV, categorical_drift_method="ChiSquared")
    assert ended.document("constraints.json")["monitoring_config"]["distribution_constraints"] == {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": 0.1,
        "categorical_drift_method": "ChiSquared",
    }


def test_overrides_of_one_feature(analyze: Analyze) -> None:
    first = analyze({"a": "a,b\n1,1\n"}, format=CSV)
    constraints = first.document("constraints.json")
    constraints["features"][0]["monitoringConfigOverrides"] = {"evaluate_constraints": "Disabled"}
    run = analyze({"a": "a,b\nx,y\n"}, format=CSV, constraints=constraints)
    assert of(run.violations) == {("b", "data_type_check")}
    constraints["features"][1]["monitoringConfigOverrides"] = {"datatype_check_threshold": 0.5}
    run = analyze({"a": "a,b\nx,y\n1,1\n"}, format=CSV, constraints=constraints)
    assert run.violations == []


def test_negative_numbers_violate_nothing(analyze: Analyze) -> None:
    first = analyze({"a": "a\n1\n2\n"}, format=CSV)
    assert first.feature("a", "constraints.json")["num_constraints"] == {"is_non_negative": True}
    assert against(analyze, "a\n1\n2\n", "a\n-1\n2\n").violations == []


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2", "+3"], "Integral"),
        (["1", "2.5"], "Fractional"),
        (["3.0"], "Fractional"),
        (["1e-05", "1E5"], "Fractional"),
        ([" 1", "- 2"], "Integral"),
        (["1", "NaN"], "String"),
        (["Infinity", "2"], "String"),
        (["0x1F"], "String"),
        ([".5"], "String"),
        (["5."], "String"),
        (["-.5"], "String"),
        (["1", "true"], "String"),
        (["true", "false"], "String"),
        (["1", ""], "Integral"),
        (["1-2"], "String"),
        (["2026-11-26"], "String"),
        (["nan"], "String"),
        (["1,5"], "String"),
    ],
)
def test_types_are_told_from_texts(analyze: Analyze, cells: list[str], kind: str) -> None:
    rows = "a,b\n" + "".join(f'"{cell}",x\n' if cell else ",x\n" for cell in cells)
    ended = analyze({"a.csv": rows}, format=CSV)
    assert ended.feature("a")["inferred_type"] == kind


def test_metrics_are_written_where_they_are_asked_for(analyze: Analyze) -> None:
    first = analyze({"a": "a,b\n1,x\n2,y\n"}, format=CSV, publish_cloudwatch_metrics="Enabled")
    assert first.metrics == []  # a baseline has none
    constraints = first.document("constraints.json")
    given: Any = {"publish_cloudwatch_metrics": "Enabled", "sagemaker_monitoring_schedule_name": "hourly"}
    run = analyze({"a": "a,b\n4,x\n,y\n"}, format=CSV, constraints=constraints, **given)
    alone = {each["MetricName"]: each for each in run.metrics if len(each["Dimensions"]) == 1}
    assert set(alone) == {"feature_data_a", "feature_non_null_a", "feature_non_null_b"}
    assert alone["feature_data_a"]["StatisticValues"] == {
        "SampleCount": 1.0,
        "Sum": 4.0,
        "Minimum": 4.0,
        "Maximum": 4.0,
    }
    assert alone["feature_non_null_a"]["Value"] == 1.0 and "Timestamp" not in alone["feature_data_a"]
    constraints["features"][0]["monitoringConfigOverrides"] = {"emit_metrics": "Disabled"}
    run = analyze({"a": "a,b\n4,x\n,y\n"}, format=CSV, constraints=constraints, **given)
    assert {each["MetricName"] for each in run.metrics if len(each["Dimensions"]) == 1} == {"feature_non_null_b"}
    constraints["monitoring_config"]["emit_metrics"] = "Disabled"
    assert analyze({"a": "a,b\n4,x\n"}, format=CSV, constraints=constraints, **given).metrics == []


@pytest.mark.parametrize(
    "features",
    [
        7,
        [{}],
        [{"name": "a", "numerical_statistics": "x"}],
        [{"name": "a", "numerical_statistics": {"distribution": {"kll": {"sketch": {"data": [["x"]]}}}}}],
        [{"name": "a", "string_statistics": {"distribution": {"categorical": {"buckets": [{"value": "x"}]}}}}],
    ],
)
def test_statistics_that_make_no_sense(analyze: Analyze, features: Any) -> None:
    first = analyze({"a": "a\n1\n"}, format=CSV)
    constraints = first.document("constraints.json")
    ended = analyze({"a": "a\n1\n"}, format=CSV, constraints=constraints, statistics={"features": features})
    assert ended.code == 255 and "Error: the baseline statistics are malformed" in ended.message


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("{", "baseline_constraints constraints.json is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "the baseline constraints are malformed"),
        (json.dumps({"features": [{"name": "a"}]}), "the baseline constraints are malformed"),
        (
            json.dumps(
                {
                    "features": [{"name": "a", "inferred_type": "Integral"}],
                    "monitoring_config": {"distribution_constraints": {"comparison_method": "Other"}},
                }
            ),
            "comparison_method 'Other'",
        ),
    ],
)
def test_constraints_that_make_no_sense(analyze: Analyze, document: str, told: str) -> None:
    ended = analyze({"a.csv": "1\n"}, format=BARE_CSV, constraints=document)
    assert ended.code == 255
    assert ended.message.startswith("Error: ") and told in ended.message

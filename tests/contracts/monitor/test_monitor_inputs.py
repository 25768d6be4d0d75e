"""What the analyzer reads: files of every format, captured records, users' scripts, and all that is wrong with them."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import pytest

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs import catalog

from .conftest import BARE_CSV, CAPTURE, CSV, Analyze, Desk, Ended, captured

LINES = {"json": {"lines": True}}
PARQUET: dict[str, Any] = {"parquet": {}}


def test_json_lines(analyze: Analyze) -> None:
    rows = [{"n": 1, "f": 1.5, "whole": 3.0, "s": "x", "b": True, "deep": {"a": 1, "l": [7, 8]}}, {"n": None, "f": 2}]
    ended = analyze({"a.jsonl": "".join(json.dumps(row) + "\n" for row in rows)}, format=LINES)
    types = {each["name"]: each["inferred_type"] for each in ended.document("statistics.json")["features"]}
    assert types == {
        "n": "Integral",
        "f": "Fractional",
        "whole": "Integral",
        "s": "String",
        "b": "String",
        "deep.a": "Integral",
        "deep.l.0": "Integral",
        "deep.l.1": "Integral",
    }
    assert ended.feature("deep.a", "constraints.json")["completeness"] == 0.5


def test_a_json_document(analyze: Analyze) -> None:
    ended = analyze({"a.json": json.dumps([{"a": 1}, {"a": 2}])}, format={"json": {"line": "false"}})
    assert ended.document("statistics.json")["dataset"]["item_count"] == 2


def test_parquet(analyze: Analyze, desk: Desk) -> None:
    code = """
import base64, datetime, io
import pyarrow as pa, pyarrow.parquet as pq
table = pa.table({
    "i": [1, 2, None], "f": [1.0, 2.5, 3.0], "bad": [1.0, float("nan"), float("inf")], "s": ["x", "y", None],
    "b": [True, False, None], "d": pa.array([datetime.date(2026, 11, 26)] * 3),
    "c": pa.array(["x", "y", "x"]).dictionary_encode(),
})
file = io.BytesIO()
pq.write_table(table, file)
result = base64.b64encode(file.getvalue()).decode()
"""
    ended = analyze({"a.parquet": base64.b64decode(desk.ask({}, code))}, format=PARQUET)
    types = {each["name"]: each["inferred_type"] for each in ended.document("statistics.json")["features"]}
    assert types == {
        "i": "Integral",
        "f": "Fractional",
        "bad": "String",
        "s": "String",
        "b": "String",
        "d": "String",
        "c": "String",
    }
    assert ended.feature("f")["numerical_statistics"]["mean"] == pytest.approx(6.5 / 3)
    assert ended.feature("bad")["string_statistics"]["distinct_count"] == 3.0
    assert "is not Parquet" in analyze({"a.parquet": "no"}, format=PARQUET).message


def test_csv_as_spark_reads_it(analyze: Analyze) -> None:
    rows = 'a,b,a,\n1,"x, y",2,\n3\n4,z,5,6,7\n\n'
    ended = analyze({"one.csv": rows, "_SUCCESS": "x", ".hidden": "x", "two.csv": "a,b,a,\n8,w,9,1\n"}, format=CSV)
    document = ended.document("statistics.json")
    assert document["dataset"]["item_count"] == 4
    assert [each["name"] for each in document["features"]] == ["a0", "b", "a2", "_c3"]
    assert ended.feature("a0")["numerical_statistics"]["sum"] == 16.0
    assert ended.feature("b")["string_statistics"]["common"] == {"num_present": 3, "num_missing": 1}


def test_a_column_changes_its_mind_late(analyze: Analyze) -> None:
    """Its first block has numbers only; the word comes in a later one."""
    rows = "".join(f"{number % 100},{'x' * 100}\n" for number in range(100_000)) + "late,x\n"
    ended = analyze({"a.csv": rows}, format=BARE_CSV)
    buckets = ended.feature("_c0")["string_statistics"]["distribution"]["categorical"]["buckets"]
    assert ended.feature("_c0")["string_statistics"]["distinct_count"] == 101.0
    assert {each["value"]: each["count"] for each in buckets}["7"] == 1000


def test_a_million_values_are_estimated_in_bounded_memory(analyze: Analyze) -> None:
    rows = "\n".join(f"id-{number:x}" for number in range(1_000_000))
    ended = analyze({"a.csv": rows}, format=BARE_CSV)
    found = ended.feature("_c0")["string_statistics"]
    assert found["common"]["num_present"] == 1_000_000 and "distribution" not in found
    assert found["distinct_count"] == pytest.approx(1_000_000, rel=0.05)


@pytest.mark.parametrize(
    ("files", "format", "told"),
    [
        ({"a.csv": ""}, CSV, "The dataset is empty"),
        ({}, CSV, "dataset_source"),
        ({"a.csv": "a,b\n"}, CSV, "The dataset is empty: no row was found"),
        ({"a.jsonl": '{"a": 1}\n{"a"'}, LINES, "line 2 of a.jsonl is not JSON"),
        ({"a.jsonl": "[1]\n"}, LINES, "line 1 of a.jsonl is not a JSON object"),
        ({"a.jsonl": "[" * 100_000 + "\n"}, LINES, "line 1 of a.jsonl is not JSON"),
        ({"a.jsonl": '{"a": ' + "[" * 101 + "1" + "]" * 101 + "}\n"}, LINES, "a record is nested more than 100 deep"),
        ({"a.jsonl": json.dumps(dict.fromkeys(map(str, range(10_001)), 1))}, LINES, "more than 10000"),
        ({"a.jsonl": "{}\n"}, CAPTURE, "is not a captured record"),
        ({"a.jsonl": captured("1", "2")[:-40]}, CAPTURE, "line 1 of a.jsonl is not JSON"),
        ({"a.jsonl": captured("1", "2", encoding="BASE64", content_type="image/png")}, CAPTURE, "Unsupported encoding"),
        ({"a.jsonl": captured("1", "%%", encoding="BASE64")}, CAPTURE, "is not base64"),
        ({"a.jsonl": captured("{", "{}", encoding="JSON")}, CAPTURE, "is not JSON"),
        ({"a.csv": b"a\n\xff\n"}, CSV, "is not CSV"),
    ],
)
def test_data_that_make_no_sense(analyze: Analyze, files: dict[str, Any], format: Any, told: str) -> None:
    ended = analyze(files, format=format)
    assert ended.code == 255
    assert ended.message.startswith("Error: ") and told in ended.message, ended.message


@pytest.mark.parametrize("format", [{}, {"xml": {}}, {"sagemakerCaptureJson": {"captureIndexNames": ["other"]}}])
def test_formats_that_are_none(analyze: Analyze, format: Any) -> None:
    assert analyze({"a": "1"}, format=format).code == 255


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"analysis_type": "BIAS"}, "analysis_type 'BIAS' is not one of"),
        ({"start_time": "soon"}, "start_time 'soon' is not a time"),
        ({"record_preprocessor_script": "/opt/ml/x.py"}, "is supported with dataset_format sagemakerCaptureJson only"),
        ({"exclude_features_attribute": "a"}, "exclude_features_attribute is not supported"),
        ({"output_path": ""}, "output_path is required"),
    ],
)
def test_requests_that_make_no_sense(analyze: Analyze, variables: dict[str, str], told: str) -> None:
    ended = analyze({"a": "1\n"}, format=BARE_CSV, **variables)
    assert (ended.code, told in ended.message) == (255, True), ended.message


def test_lines_without_end_are_refused(desk: Desk) -> None:
    code = """
from io import BytesIO
from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor import json_files
kept, json_files.LINE_BYTES_MAX = json_files.LINE_BYTES_MAX, 10
try:
    result = len(list(json_files._lines(BytesIO(b"x" * 11), "a")))
except UserError as error:
    result = error.message
json_files.LINE_BYTES_MAX = kept
"""
    assert desk.ask({}, code) == "a line of a is longer than 10 bytes"


def names(ended: Ended) -> list[str]:
    return [each["name"] for each in ended.document("statistics.json")["features"]]


def test_captured_json_is_flattened_and_named(analyze: Analyze) -> None:
    line = captured('{"score": 0.5, "x": 1}', '{"instances": [{"features": [28, 2.0]}], "x": 2}', encoding="JSON")
    ended = analyze({"a.jsonl": line}, format=CAPTURE)
    assert names(ended) == ["score", "x", "instances.0.features.0", "instances.0.features.1", "endpointInput.x"]
    assert ended.feature("instances.0.features.1")["inferred_type"] == "Integral"


def test_what_was_captured_as_base64_is_decoded(analyze: Analyze) -> None:
    encode = lambda text: base64.b64encode(text.encode()).decode()  # noqa: E731
    ended = analyze({"a.jsonl": captured(encode("1"), encode("2,3\n"), encoding="BASE64")}, format=CAPTURE)
    assert names(ended) == ["_c0", "_c1", "_c2"]


def test_sides_of_different_encodings(analyze: Analyze) -> None:
    document = json.loads(captured("{}", "1"))
    document["captureData"]["endpointOutput"]["encoding"] = "JSON"
    ended = analyze({"a.jsonl": json.dumps(document)}, format=CAPTURE)
    assert ended.message == (
        "Error: Encoding mismatch: Encoding is CSV for endpointInput, but Encoding is JSON for endpointOutput. We "
        "currently only support the same type of input and output encoding at the moment."
    )


def test_only_one_side_is_looked_at(analyze: Analyze) -> None:
    format = {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}
    assert names(analyze({"a.jsonl": captured("1", "2,3")}, format=format)) == ["_c0", "_c1"]


def test_the_window(analyze: Analyze) -> None:
    times = ["09:59:59", "10:00:00", "10:59:59", "11:00:00"]
    lines = "".join(captured("1", "2", time=f"2026-11-26T{time}Z") for time in times)
    window = {"start_time": "2026-11-26T10:00:00Z", "end_time": "2026-11-26T11:00:00Z"}
    ended = analyze({"a.jsonl": lines}, format=CAPTURE, **window)
    assert ended.document("statistics.json")["dataset"]["item_count"] == 2


def test_a_preprocessor_script(analyze: Analyze) -> None:
    script = """
import pandas, numpy  # AWS's samples import them
def preprocess_handler(inference_record, logger):
    logger.info("seen")
    if inference_record.event_metadata.event_id == "drop":
        return []
    cells = inference_record.endpoint_output.data.split(",") + inference_record.endpoint_input.data.split(",")
    if inference_record.event_metadata.custom_attribute == ["twice"]:
        return [{"b": 1.0, "a": "x"}, {"b": 2.0, "a": "y"}]
    return {str(number).zfill(20): float(cell) for number, cell in enumerate(cells)}
"""
    lines = captured("1", "2,3.5") + captured("1", "2", eventId="drop")
    ended = analyze({"a.jsonl": lines}, format=CAPTURE, scripts={"record_preprocessor_script": script})
    assert names(ended) == [str(number).zfill(20) for number in range(3)]
    assert [each["inferred_type"] for each in ended.document("statistics.json")["features"]] == [
        "Integral",
        "Integral",
        "Fractional",
    ]
    baseline = analyze({"a.csv": "first,second,third\n1,2,3.5\n"}, format=CSV)
    run = analyze(
        {"a.jsonl": lines},
        format=CAPTURE,
        scripts={"record_preprocessor_script": script},
        constraints=baseline.document("constraints.json"),
    )
    assert (names(run), run.violations) == (["first", "second", "third"], [])
    twice = captured("1", "2", customAttributes=["twice"])
    ended = analyze({"a.jsonl": twice}, format=CAPTURE, scripts={"record_preprocessor_script": script})
    assert (names(ended), ended.document("statistics.json")["dataset"]["item_count"]) == (["a", "b"], 2)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "def preprocess_handler(record):\n    return 1 / 0\n",
            "invoking preprocessor script. ZeroDivisionError",
        ),
        ("def preprocess_handler(record):\n    return 5\n", "returned int where a dict is expected"),
        ("def other(record):\n    pass\n", "has no function preprocess_handler"),
        ("not Python!\n", "cannot be loaded: SyntaxError"),
        ("def preprocess_handler(record):\n    return []\n", "The dataset is empty"),
    ],
)
def test_scripts_that_fail(analyze: Analyze, script: str, told: str) -> None:
    ended = analyze({"a": captured("1", "2")}, format=CAPTURE, scripts={"record_preprocessor_script": script})
    assert (ended.code, told in ended.message) == (255, True), ended.message


def test_a_postprocessor_script_runs_when_all_is_written(analyze: Analyze) -> None:
    script = """
import os, pathlib
def postprocess_handler():
    folder = pathlib.Path(os.environ["CLOCHE_ML_ROOT"]) / "processing/output"
    (folder / "seen.txt").write_text(" ".join(sorted(each.name for each in folder.iterdir())))
"""
    ended = analyze({"a.csv": "1\n"}, format=BARE_CSV, scripts={"post_analytics_processor_script": script})
    assert (ended.output / "seen.txt").read_text() == "constraints.json statistics.json"
    failing = "def postprocess_handler():\n    raise OSError('no')\n"
    ended = analyze({"a.csv": "1\n"}, format=BARE_CSV, scripts={"post_analytics_processor_script": failing})
    assert ended.message == "Error: Exception while invoking post analytics processor script. OSError: no"


def test_importing_the_analyzer_is_quick_to_say(desk: Desk) -> None:
    """The program is a module that can be run, and says what is wrong by its exit code."""
    python = EnvironmentBuilder().ensure(catalog.MONITOR_ENVIRONMENT).python
    environment = {**desk._environment(), "CLOCHE_ML_ROOT": "/nowhere"}
    run = subprocess.run(
        [str(python), *catalog.by_key(catalog.ANALYZER).entrypoint[1:]], env=environment, capture_output=True, text=True
    )
    assert run.returncode != 0 and "dataset_source is required" in run.stderr

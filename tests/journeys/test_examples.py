"""The examples in boto3 alone and in functions; and that every example is listed and run by some journey."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from example_runs import EXAMPLES, by, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


EXPECTED = {
    "s3": ["uploaded 12582912 bytes", "folders ['big/', 'notes/']", "by link: first line", "deleted 3 objects"],
    "script_mode": ["trained: {'oob:r2': 0.9", "it says [2."],
    "logs_and_metrics": [
        "10 lines speak of train-error",
        "Insights: {'rounds': '10', 'least': '0.",
        "'train:error': ",
        "my own metric 300.0",
        "my own log ['hello']",
    ],
    "alarms": [
        "told: example-service OK -> ALARM",
        "because: Threshold Crossed: 1 datapoint [15.0 (",
        "history: Alarm updated from INSUFFICIENT_DATA to ALARM",
    ],
    "queues_and_events": [
        "orders ['a-1', 'a-2']",
        "put aside: poison",
        "heard: version 1 of example-events was approved",
        "a large order: large",
    ],
    "schedules": [
        "at its time: {'large': 50, 'through': 'example-large'}",
        "replayed: {'large': 50, 'through': 'example-large'}",
        "state: COMPLETED",
    ],
    "topics": [
        "heard 3 of which grave: ['Day Calls']",
        "arrived: ['incoming/march.csv']",
        "the signature holds",
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_boto3(server: object, name: str, tmp_path: Path) -> None:
    output = run(server, [sys.executable, str(EXAMPLES / name / "main.py")], tmp_path)
    for words in EXPECTED[name]:
        assert words in output, output


DEMOS = {"train_and_deploy", "churn", "churn_loop"}
"""``make demo`` and what it grows into: ``test_demo.py``."""


def test_every_example_is_listed_and_run() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and any(path.glob("main.*"))}
    stories = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = {name for name in folders if f"{name}/main." in stories or f'/ "{name}"' in stories}
    unrun = folders - set(EXPECTED) - named - DEMOS
    assert unrun == set(), "no journey runs these"
    page = (EXAMPLES / "README.md").read_text()
    assert all(f"]({name})" in page and (EXAMPLES / name / "README.md").exists() for name in folders)


def test_lambda_functions_by_the_sdk_v2(server: object, tmp_path: Path) -> None:
    script = by("sagemaker2", str(EXAMPLES / "functions/main.py"))
    output = run(server, script, tmp_path)
    assert "at 0.9: deploy False" in output and "at 0.5: deploy True" in output
    assert "model-checker looks at 0.7" in output
    assert "deleted: True" in output

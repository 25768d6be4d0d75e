"""What ``smspark-submit`` makes of its arguments and of configuration.json."""

from __future__ import annotations

import json
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from cloche_jobs.spark import submit


@pytest.fixture(autouse=True)
def _spark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "find_spec", lambda name: ModuleSpec(name, None, origin="/env/pyspark/__init__.py"))


def configured(path: Path, document: object) -> submit.Configuration:
    path.write_text(json.dumps(document))
    return submit.read_configuration(path)


def test_arguments_of_the_application_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "b.py").touch()
    (tmp_path / "a.py").touch()
    options = submit.parse(
        ["--py-files", str(tmp_path), "--class", "Main", "/x/app.py", "--jars", "its own", "--class", "its"]
    )
    line = submit.command(options, submit.Configuration(), tmp_path)
    assert line[0] == "/env/pyspark/bin/spark-submit"
    assert line[line.index("--py-files") + 1] == f"{tmp_path}/a.py,{tmp_path}/b.py"
    assert line[-5:] == ["/x/app.py", "--jars", "its own", "--class", "its"]
    assert "spark.eventLog.enabled=true" not in line


def test_event_logs_go_where_they_are_wanted(tmp_path: Path) -> None:
    options = submit.parse(["--local-spark-event-logs-dir", "/opt/ml/processing/spark-events/", "app.py"])
    line = submit.command(options, submit.Configuration(), tmp_path)
    assert "spark.eventLog.dir=file:///opt/ml/processing/spark-events" in line


def test_classifications(tmp_path: Path) -> None:
    found = configured(
        tmp_path / "c.json",
        [
            {"Classification": "spark-defaults", "Properties": {"spark.driver.memory": "2g", "spark.x": 1}},
            {"Classification": "core-site", "Properties": {"fs.x": "y"}},
            {"Classification": "spark-env", "Configurations": [{"Classification": "export", "Properties": {"A": "b"}}]},
            {"Classification": "yarn-site", "Properties": {"y": "z"}},
        ],
    )
    assert found.properties == {"spark.driver.memory": "2g", "spark.x": "1", "spark.hadoop.fs.x": "y"}
    assert (found.environment, found.passed_over) == ({"A": "b"}, ["yarn-site"])
    line = submit.command(submit.parse(["app.py"]), found, tmp_path)
    assert "spark.driver.memory=2g" in line
    assert sum("spark.driver.memory" in each for each in line) == 1


def test_no_configuration_and_no_application(tmp_path: Path) -> None:
    assert submit.read_configuration(tmp_path / "none") == submit.Configuration()
    with pytest.raises(SystemExit):
        submit.parse(["--class", "Main"])


def test_one_of_several_hosts_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").mkdir()
    resources = tmp_path / "config" / "resourceconfig.json"
    resources.write_text(json.dumps({"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}))
    monkeypatch.setenv("CLOCHE_ML_ROOT", str(tmp_path))
    assert submit.main(["app.py"]) == 0
    assert "algo-1 runs the application" in capsys.readouterr().out
    resources.write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]}))
    ran: list[list[str]] = []
    monkeypatch.setattr(submit, "become", lambda line: ran.append(line) or 7)
    assert submit.main(["app.py"]) == 7
    assert ran[0][-1] == "app.py"

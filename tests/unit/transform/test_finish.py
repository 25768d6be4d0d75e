"""What a batch's end is called: whose fault, which file, which line; and never a success that was none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloche.engines.transform import Plan
from cloche.engines.transform.finish import reason
from cloche.engines.transform.staging import Desk
from cloche.jobs.ending import INTERNAL, Ending
from cloche.jobs.inputs import S3Input
from cloche.jobs.place import Place
from cloche.serving.model import ServedModel

PLAN = Plan("arn", "job", "1", "r", ServedModel("image", None), "ml.m5.large", 1, S3Input("i", "b", "in/"), "b", "out")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "batch")
    made.output(0).parent.mkdir(parents=True)
    made.names.write_text(json.dumps(["a.csv", "b.csv", "c.csv"]))
    for number in range(3):
        made.output(number).touch()
    return made


def found(desk: Desk, ending: Ending) -> str | None:
    return reason(PLAN, Place(desk.folder.parent), desk, ending)


def failed(desk: Desk, *numbers: int, message: str = "why") -> None:
    for number in numbers:
        desk.output(number).unlink(missing_ok=True)
        entry = {"file": number, "kind": "ClientError", "where": f"line {number + 7}", "message": message}
        with desk.report.open("a") as report:
            report.write(json.dumps(entry) + "\n")


def test_all_files_done(desk: Desk) -> None:
    assert found(desk, Ending("companion_done")) is None
    failed(desk, 1)
    desk.output(1).touch()
    assert found(desk, Ending("companion_done")) is None, "a later run made what an earlier could not"


def test_the_first_file_in_their_order_is_told(desk: Desk) -> None:
    failed(desk, 2, 1)
    assert found(desk, Ending("companion_done")) == (
        "ClientError: See job logs for more information: b.csv, line 8: why (1 more of 3 files failed.)"
    )


def test_a_reason_has_aws_length(desk: Desk) -> None:
    failed(desk, 0, 1, message="x" * 3000)
    told = found(desk, Ending("companion_done"))
    assert told is not None and len(told) == 1024 and told.endswith("(1 more of 3 files failed.)")


def test_a_report_that_was_cut_off_is_read_as_far_as_it_goes(desk: Desk) -> None:
    failed(desk, 0)
    with desk.report.open("a") as report:
        report.write('{"file": 1, "ki')
    told = found(desk, Ending("companion_done"))
    assert told is not None and told.endswith("a.csv, line 7: why")


@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        (Ending("companion_failed", message="AlgorithmError: no ping"), "AlgorithmError: See job logs"),
        (Ending("companion_failed", message="InternalServerError: OSError: x"), INTERNAL),
        (Ending("companion_failed", message="a program that runs beside it was killed"), INTERNAL),
        (Ending("exited", 0), "AlgorithmError: See job logs for more information: the model server ended before"),
        (Ending("exited", -9), "AlgorithmError: the process was ended by SIGKILL, exit code: 137"),
        (Ending("limit_reached", message="Out of memory"), "AlgorithmError: Out of memory, exit code: 137"),
        (Ending("lost"), INTERNAL),
        (Ending("none"), INTERNAL),
        (Ending("stopped"), INTERNAL),
        (Ending("max_runtime"), INTERNAL),
    ],
)
def test_no_other_end_is_a_success(desk: Desk, ending: Ending, begins: str) -> None:
    told = found(desk, ending)
    assert told is not None and told.startswith(begins)

"""Run ceph/s3-tests against a Cloche of its own, and hold what fails against docs/reference/s3.md.

python tools/s3_tests.py                    all of the core set, on S3 as it was before April 2023
python tools/s3_tests.py --today            on S3 as it is today
python tools/s3_tests.py -- -k multipart    some of it: what follows is pytest's

The suite is no part of Cloche: ``../shared/conformance/s3-tests/run.sh`` (or $S3TESTS) clones it and counts. This
starts the server, makes three accounts, each with a user who may do everything, and tells the script their keys. It
ends with 1 where something fails that the page does not give up, or the other way round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "s3.md"
RUN = Path(os.environ.get("S3TESTS", ROOT.parent / "shared" / "conformance" / "s3-tests" / "run.sh"))
ACCOUNTS = {"MAIN": ("111111111111", "main"), "ALT": ("222222222222", "alt"), "TENANT": ("333333333333", "tenant")}
EVERYTHING = "arn:aws:iam::aws:policy/AdministratorAccess"
START_SECONDS_MAX = 60


@contextlib.contextmanager
def cloche(data: Path, *options: str) -> Iterator[dict[str, Any]]:
    """A server on ``data``: what its ``server.json`` says."""
    command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(data), *options]
    with (data.parent / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        told, deadline = data / "server.json", time.monotonic() + START_SECONDS_MAX
        while not told.exists() or json.loads(told.read_text() or "{}").get("pid") != process.pid:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((data.parent / "server.log").read_text())
            time.sleep(0.05)
        yield json.loads(told.read_text())
    finally:
        process.terminate()
        process.wait()


def user_of(url: str, data: Path, number: str, name: str) -> dict[str, str]:
    """A user of a new account who may do everything, as the script wants to be told of one."""
    import boto3

    add = [sys.executable, "-m", "cloche.cli.main", "accounts", "add", number, "--name", name, "--data", str(data)]
    subprocess.run(add, check=True, stdout=subprocess.DEVNULL)
    root = json.loads((data / "keys" / f"root-{number}.json").read_text())

    def client(service: str, key: dict[str, str]) -> Any:
        session = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
        return session.client(service, endpoint_url=url)

    iam = client("iam", root)
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=EVERYTHING)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "ACCESS_KEY": key["AccessKeyId"],
        "SECRET_KEY": key["SecretAccessKey"],
        "USER_ID": client("s3", key).list_buckets()["Owner"]["ID"],
        "DISPLAY_NAME": name,
    }


def given_up() -> set[str]:
    """The tests that the page lists with a reason."""
    text = PAGE.read_text().partition("that are given up\n")[2]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `test_")]
    return set(re.findall(r"`(test_\w+)`", "".join(rows)))


def judge(results: Path) -> int:
    """Say what the page does not, or no longer, know."""
    cases = json.loads(results.read_text())["cases"]
    failed = {name.partition("::")[2] for name, case in cases.items() if case["verdict"] == "failed"}
    listed = given_up()
    for name in sorted(failed - listed):
        why = next(case["why"] for full, case in cases.items() if full.endswith(f"::{name}"))
        print(f"fails, not listed: {name}: {why.splitlines()[0][:160] if why else ''}")
    for name in sorted(listed - failed):
        print(f"listed, does not fail: {name}")
    return 0 if failed == listed else 1


def main() -> int:
    arguments = argparse.ArgumentParser(description="Run ceph/s3-tests against a Cloche of its own.")
    arguments.add_argument("--today", action="store_true", help="S3 as it is today, which the suite is not written for")
    arguments.add_argument("--jobs", default="2", help="pytest-xdist workers")
    arguments.add_argument("--out", type=Path, help="where the results go")
    arguments.add_argument("pytest", nargs="*", help="further arguments of pytest")
    chosen = arguments.parse_args()
    if not RUN.exists():
        raise SystemExit(f"{RUN} is not there; set S3TESTS to the script that runs the suite")
    with tempfile.TemporaryDirectory(prefix="s3-tests-") as folder:
        data, out = Path(folder) / "data", (chosen.out or Path(folder) / "out").resolve()
        with cloche(data, *(() if chosen.today else ("--s3-before-2023",))) as running:
            url = f"http://127.0.0.1:{running['port']}"
            told = {
                f"{role}_{name}": value
                for role, (number, called) in ACCOUNTS.items()
                for name, value in user_of(url, data, number, called).items()
            }
            environment = {**os.environ, **told, "OUT": str(out), "JOBS": chosen.jobs}
            code = subprocess.run([str(RUN), url, *chosen.pytest], env=environment, check=False).returncode
        if code or chosen.pytest or chosen.today:
            return code
        return judge(out / "results.json")


if __name__ == "__main__":
    sys.exit(main())

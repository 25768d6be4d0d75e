"""The acceptance test for crashes that lies beside the project, with all work at once: objects and uploads in parts,
versions, jobs, log events, data points and roles. Each round clients write, at a random moment the server is killed
(or its power cut, or its disk left with a random half of what was not synced), it starts again on what is left, and
every promise is checked.

    make crash ROUNDS=500 CUT=kill            # or power, torn: these need root, /dev/fuse and libfuse3

Exits with 1 for a broken promise, and where starts got longer with the rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import socket
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.simulation.crash.works import Events, Points, Roles, Versions
from tests.simulation.kills.load import XGBOOST

PROBE = Path(__file__).parents[4] / "shared" / "conformance" / "crash" / "run.py"
LONGER_MAX = 1.5
"""How much longer the last starts may take than the first; the machine's own moods are below that."""
JOBS_LOOKED_AT_AGAIN = 30


def probe() -> Any:
    """The acceptance test as a module."""
    spec = importlib.util.spec_from_file_location("crash_probe", PROBE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def jobs_of(module: Any, server: Any) -> Any:
    """Its jobs, as scripts that end soon; of those that have ended some are looked at again, not all of them."""

    class Jobs(module.Jobs):  # type: ignore[misc,name-defined]
        def setup(self) -> None:
            self.server.client("s3").create_bucket(Bucket="crash-models")
            role = self.server.client("iam").list_roles()["Roles"][0]["Arn"]
            request = {
                "TrainingJobName": "{name}",
                "RoleArn": role,
                "AlgorithmSpecification": {
                    "TrainingImage": XGBOOST,
                    "TrainingInputMode": "File",
                    "ContainerEntrypoint": ["/bin/sh", "-c", "echo a line; sleep 0.5; echo made > /opt/ml/model/made"],
                },
                "OutputDataConfig": {"S3OutputPath": "s3://crash-models/output"},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
                "StoppingCondition": {"MaxRuntimeInSeconds": 300},
            }
            self.server.args.job = json.dumps(request)

        def check(self) -> Iterator[str]:
            every = self.acked
            ended = [name for name in every if name in self.final]
            again = random.sample(ended, min(JOBS_LOOKED_AT_AGAIN, len(ended)))
            self.acked = [name for name in every if name not in self.final] + again
            try:
                yield from super().check()
            finally:
                self.acked = every

    return Jobs(server)


def run(options: argparse.Namespace) -> int:
    module = probe()
    options.job, options.multipart = "{}", True
    server = module.Server(options)
    works = [module.Objects(server), jobs_of(module, server)]
    works += [made(server) for made in (Versions, Events, Points, Roles)]
    broken: list[str] = []
    boots: list[float] = []
    try:
        module.rounds(options, server, works, broken, boots)
    finally:
        server.cut()
    for fault in broken[:40]:
        print(fault)
    few = max(3, len(boots) // 10)
    first, last = statistics.median(boots[1 : few + 1]), statistics.median(boots[-few:])
    print(f"start-up: the first {few} {first:.2f} s, the last {few} {last:.2f} s, the longest {max(boots):.2f} s")
    print(f"{len(broken)} broken promises")
    is_longer = len(boots) > 40 and last > first * LONGER_MAX
    if is_longer:
        print("starts got longer with the rounds")
    return 1 if broken or is_longer else 0


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--cut", choices=["kill", "power", "torn"], default="kill")
    parser.add_argument("--fuse-python", default=sys.executable, help="an interpreter that has mfusepy")
    parser.add_argument("--busy", type=float, default=2.0, help="longest time between cuts, in seconds")
    parser.add_argument("--boot", type=float, default=60.0, help="the most that a start may take, in seconds")
    parser.add_argument("--converge", type=float, default=90.0, help="until every job has ended, in seconds")
    options = parser.parse_args(given)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        options.port = free.getsockname()[1]
    options.key, options.secret = "AKIACRASH00000000001", "crash"
    options.serve = f"{sys.executable} -m cloche.cli.main up --port {{port}} --data {{data}} --any-credentials"
    return options


if __name__ == "__main__":
    os.environ.setdefault("BOTO_DISABLE_CRT", "true")
    if not PROBE.exists():
        sys.exit(f"{PROBE} is not there")
    sys.exit(run(arguments()))

"""Mixed load for an hour, and the server's memory all along: it must stay flat.

Ten kinds of clients ask at fixed rates, well below what the machine can do, for objects, uploads in parts, versions,
logs, metrics, identities, descriptions, refusals, new connections, predictions, and now and then for a training. They
keep to a bounded set of names, so that what is stored stops growing where the kind of thing can be deleted. The server
process is sampled (``smaps_rollup``; jobs and model servers are processes of their own): after ``--warm-up`` neither
its resident nor its anonymous memory may leave its median by more than 5 %, and the slope is told beside it. PSS is
told too; it moves with whoever else has the same libraries open.

    python benchmarks/soak.py [--minutes 60] [--warm-up 10] [--rate 1.0] [--only LOAD ...] [--every 5]
                              [--directory DIR] [--samples FILE]

Exits with 1 where memory was not flat, or where a call failed that should not have.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from invoke import IMAGE, TRUST, _server
from soak_loads import LOADS, Soak, train

FLAT = 0.05


@dataclass
class Sample:
    minute: float
    rss_kib: int
    pss_kib: int
    anonymous_kib: int
    threads: int
    files: int


def prepare(soak: Soak) -> None:
    s3, sagemaker = soak.client("s3"), soak.client("sagemaker")
    for bucket in ("soak", "versioned"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    rows = "".join(f"{n % 7},{n},{n % 3},{n % 5},{n % 11}\n" for n in range(500))
    s3.put_object(Bucket="soak", Key="train/rows.csv", Body=rows.encode())
    soak.client("logs").create_log_group(logGroupName="soak")
    role = soak.client("iam").create_role(RoleName="Soak", AssumeRolePolicyDocument=json.dumps(TRUST))
    soak.role = role["Role"]["Arn"]
    soak.artifact = train(sagemaker, soak.role, 0)
    container = {"Image": IMAGE, "ModelDataUrl": soak.artifact}
    sagemaker.create_model(ModelName="soak", PrimaryContainer=container, ExecutionRoleArn=soak.role)
    variant = {"VariantName": "A", "ModelName": "soak", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="soak", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="soak", EndpointConfigName="soak")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="soak", WaiterConfig={"Delay": 1, "MaxAttempts": 600})


def sample(pid: int, minute: float) -> Sample:
    rollup = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = (int(rollup[name].split()[0]) for name in ("Rss", "Pss", "Anonymous"))
    threads = Path(f"/proc/{pid}/status").read_text().partition("Threads:")[2].split()[0]
    files = len(os.listdir(f"/proc/{pid}/fd"))
    return Sample(minute, *kib, int(threads), files)


def flatness(minutes: list[float], values: list[int]) -> tuple[float, float, float]:
    """Median, slope an hour, and the largest distance from the median as a share of it."""
    median = statistics.median(values)
    slope = statistics.linear_regression(minutes, values).slope * 60
    return median, slope, max(abs(value - median) for value in values) / median


def report(soak: Soak, samples: list[Sample], warm_up: float) -> bool:
    after = [each for each in samples if each.minute >= warm_up]
    minutes = [each.minute for each in after]
    held = {
        "RSS": [each.rss_kib for each in after],
        "PSS": [each.pss_kib for each in after],
        "anonymous": [each.anonymous_kib for each in after],
    }
    is_flat = True
    for name, values in held.items():
        median, slope, away = flatness(minutes, values)
        is_flat &= away <= FLAT or name == "PSS"
        print(
            f"{name}: median {median / 1024:.1f} MiB from minute {minutes[0]:.0f} to {minutes[-1]:.0f}, slope "
            f"{slope / 1024:+.2f} MiB an hour, at most {away:.1%} from the median"
        )
    print(f"threads {after[0].threads} to {after[-1].threads}, open files {after[0].files} to {after[-1].files}")
    print("asked: " + ", ".join(f"{name} {count}" for name, count in sorted(soak.asked.items())))
    for what, count in soak.failed.most_common(20):
        print(f"FAILED {count} times: {what}")
    print("flat" if is_flat else "NOT flat")
    return is_flat and not soak.failed


def run(options: argparse.Namespace, folder: Path) -> bool:
    command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(folder / "data")]
    with (folder / "cloche.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        said = _server(folder / "data", process)
        keys = json.loads((folder / "data" / "keys" / "root.json").read_text())
        soak = Soak(f"http://127.0.0.1:{said['port']}", keys, options.rate)
        prepare(soak)
        threads = [soak.repeat(name, per_second, make) for name, per_second, make in LOADS if name in options.only]
        for thread in threads:
            thread.start()
        samples: list[Sample] = []
        began = time.monotonic()
        while (minute := (time.monotonic() - began) / 60) < options.minutes and process.poll() is None:
            samples.append(sample(process.pid, minute))
            if options.samples:
                options.samples.write_text(json.dumps([vars(each) for each in samples]))
            time.sleep(options.every)
        soak.stop.set()
        for thread in threads:
            thread.join()
        if process.poll() is not None:
            sys.exit("the server ended:\n" + (folder / "cloche.log").read_text()[-4_000:])
        soak.client("sagemaker").delete_endpoint(EndpointName="soak")
        time.sleep(3)
        return report(soak, samples, min(options.warm_up, options.minutes / 2))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--rate", type=float, default=1.0, help="times the rates of the loads")
    parser.add_argument("--only", nargs="+", default=[name for name, _, _ in LOADS], help="which of the loads")
    parser.add_argument("--every", type=float, default=5, help="seconds between samples")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--samples", type=Path, help="a file for all samples, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as folder:
        sys.exit(0 if run(options, Path(folder)) else 1)


if __name__ == "__main__":
    main()

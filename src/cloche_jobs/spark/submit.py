"""``smspark-submit``: what AWS's Spark image runs a script or a jar with, here on one machine.

Options are those of ``smspark/cli/submit_main.py`` in aws/sagemaker-spark-container; what follows the first argument
that is no option is the application's. ``configuration.json`` below ``input/conf`` has EMR's classifications
(docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-configure-apps.html), of which those that mean something without a
cluster are heeded. Of a job's several instances the first runs the application, with all of this machine's cores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloche_jobs.contract.layout import Layout

PATHS = ("jars", "py-files", "files")
MEMORY_SHARE = 4
"""The driver, which here does all the work, may have this part of the machine's memory by default."""


@dataclass(slots=True)
class Configuration:
    """What ``configuration.json`` comes to."""

    properties: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    layout = Layout.here()
    resources = json.loads((layout.root / "config" / "resourceconfig.json").read_text(encoding="utf-8"))
    if resources["current_host"] != min(resources["hosts"]):
        print(f"Spark runs on one machine here: {min(resources['hosts'])} runs the application, and this host ends.")
        return 0
    options = parse(arguments)
    configuration = read_configuration(layout.root / "processing" / "input" / "conf" / "configuration.json")
    for name in configuration.passed_over:
        print(f"configuration {name} means nothing without a cluster and is passed over", file=sys.stderr)
    work = layout.root / ".spark"
    work.mkdir(exist_ok=True)
    line = command(options, configuration, work)
    os.environ.update(configuration.environment)
    return become(line)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("smspark-submit", allow_abbrev=False)
    parser.add_argument("--class", dest="main_class")
    for name in PATHS:
        parser.add_argument(f"--{name}")
    parser.add_argument("--local-spark-event-logs-dir")
    parser.add_argument("--verbose", "-v", action="store_true")
    parser.add_argument("application", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if not options.application:
        parser.error("name the script or jar to run")
    return options


def read_configuration(path: Path) -> Configuration:
    """Raises ``ValueError`` for a file that is no list of classifications."""
    found = Configuration()
    if not path.is_file():
        return found
    document = json.loads(path.read_text(encoding="utf-8"))
    for entry in document if isinstance(document, list) else [document]:
        name = entry["Classification"]
        if name == "spark-defaults":
            found.properties.update(_texts(entry))
        elif name in ("core-site", "hdfs-site", "mapred-site"):
            found.properties.update({f"spark.hadoop.{key}": value for key, value in _texts(entry).items()})
        elif name in ("spark-env", "hadoop-env"):
            for inner in entry.get("Configurations") or ():
                found.environment.update(_texts(inner))
        else:
            found.passed_over.append(name)
    return found


def command(options: argparse.Namespace, configuration: Configuration, work: Path) -> list[str]:
    """The line that runs Spark's own ``spark-submit``; ``work`` is for what Spark keeps on the disk."""
    properties = {
        "spark.master": "local[*]",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": f"{max(1, _memory_gib() // MEMORY_SHARE)}g",
        "spark.local.dir": str(work),
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.ui.enabled": "false",
    }
    if options.local_spark_event_logs_dir:
        properties |= {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": Path(options.local_spark_event_logs_dir).as_uri(),
        }
    spark = find_spec("pyspark")
    assert spark is not None and spark.origin is not None, "the image has it"
    line = [str(Path(spark.origin).parent / "bin" / "spark-submit")]
    for name, value in {**properties, **configuration.properties}.items():
        line += ["--conf", f"{name}={value}"]
    for name in PATHS:
        if given := getattr(options, name.replace("-", "_")):
            line += [f"--{name}", ",".join(_files(given))]
    if options.main_class:
        line += ["--class", options.main_class]
    return [*line, *(["--verbose"] if options.verbose else ()), *options.application]


def become(line: Sequence[str]) -> int:
    """Run ``line`` in the place of this program."""
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    sys.stdout.flush()
    os.execvp(line[0], list(line))  # noqa: S606 - no shell is wanted


def _files(given: str) -> Iterator[str]:
    """Files named with commas between them; a folder stands for what is in it."""
    for each in given.split(","):
        path = Path(each)
        if path.is_dir():
            yield from (str(found) for found in sorted(path.iterdir()) if found.is_file())
        else:
            yield each


def _texts(entry: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in (entry.get("Properties") or {}).items()}


def _memory_gib() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a monitoring job tells CloudWatch: lines that it leaves in a folder, put under AWS's namespaces.

Source of folder and lines: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-cloudwatch.html. Its namespaces
of data quality begin with a slash; those of the SDK's dashboards (``AutomaticDataQualityDashboard``) and of alarms that
people run do not, so the points go to both. A job is asked for its lines once, when it has ended well.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from cloche.engines.processing.plan import Plan
from cloche.foundation.clock import Clock
from cloche.jobs.place import Place, is_own_folder
from cloche.storage.metrics import Datum, MetricStore, Statistics
from cloche_jobs.contract.failure import read_start

log = logging.getLogger(__name__)

BYTES_MAX: Final = 32 << 20
POINTS_AT_ONCE: Final = 1_000
DIMENSIONS_MAX: Final = 30
"""docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html"""


def put_metrics(plan: Plan, place: Place, metrics: MetricStore, clock: Clock) -> None:
    """A server that was killed on the way repeats it, and finds the same lines: each put is made once, under the name
    of the job's process."""
    if plan.environment.get("publish_cloudwatch_metrics") != "Enabled":
        return
    data = [datum for host in plan.hosts for datum in _data(place.of_host(host.number).layout.output, clock)]
    for namespace in namespaces_of(plan.environment):
        for start in range(0, len(data), POINTS_AT_ONCE):
            once = f"{place.folder.name} {namespace} {start}"
            metrics.put(plan.account, plan.region, namespace, data[start : start + POINTS_AT_ONCE], once=once)


def namespaces_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    is_batch = environment.get("monitoring_input_type") == "BATCH_TRANSFORM_INPUT"
    family = f"aws/sagemaker/{'ModelMonitoring' if is_batch else 'Endpoints'}"
    if environment.get("analysis_type") == "MODEL_QUALITY":
        return (f"{family}/model-metrics",)
    return (f"{family}/data-metrics", f"/{family}/data-metrics")


def _data(output: Path, clock: Clock) -> Iterator[Datum]:
    folder = output / "metrics" / "cloudwatch"
    if not folder.is_dir() or not is_own_folder(folder, output.parent):
        return
    left = BYTES_MAX
    for path in sorted(folder.iterdir()):
        content = read_start(path, left)
        left -= len(content)
        for line in content.splitlines():
            try:
                yield _datum(orjson.loads(line), clock)
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                log.warning("a line of %s is no data point: %s", path.name, error)


def _datum(line: Mapping[str, Any], clock: Clock) -> Datum:
    """Raises ``ValueError``, ``KeyError``, ``TypeError``, ``OverflowError``."""
    name = str(line["MetricName"])
    dimensions = tuple(sorted((str(each["Name"]), str(each["Value"])) for each in line.get("Dimensions") or ()))
    if not 0 < len(name) <= 255 or len(dimensions) > DIMENSIONS_MAX:
        raise ValueError("its name is empty or too long, or it has too many dimensions")
    at = _time(line["Timestamp"]) if line.get("Timestamp") else clock.time()
    unit = str(line.get("Unit") or "None")
    held = line.get("StatisticValues")
    if held is None:
        return Datum(name, dimensions, at, _finite(line["Value"]), unit)
    numbers = [_finite(held[each]) for each in ("SampleCount", "Sum", "Minimum", "Maximum")]
    return Datum(name, dimensions, at, numbers[1], unit, statistics=Statistics.of_set(*numbers))


def _time(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a value is not finite")
    return number

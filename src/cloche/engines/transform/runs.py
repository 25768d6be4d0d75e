"""A job's runs: the first, and those that go on where one was lost with its watcher.

All of them work in the folder that bears the first one's name; what one has finished the next leaves alone.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from cloche.engines.transform.plan import Plan
from cloche.foundation.ids import short_id
from cloche.lifecycle.machine import Item

MARK: Final = "transform-"
"""Every process and folder of this engine begins so."""
RUNS_MAX: Final = 4


def first_run(plan: Plan, now: float) -> dict[str, Any]:
    return {
        "processes": [_process(plan)],
        "socket": f"t{short_id()}",
        "instances": [f"i-{secrets.token_hex(8)}{secrets.token_hex(1)[:1]}" for _ in range(plan.instance_count)],
        "epochs": [int(now)],
    }


def next_run(item: Item, plan: Plan, now: float) -> dict[str, Any]:
    """What changes in the job's document for another run."""
    epochs = item.data["epochs"]
    return {
        "processes": [*item.data["processes"], _process(plan)],
        "epochs": [*epochs, max(int(now), epochs[-1] + 1)],
        "ending": None,
    }


def process(data: Mapping[str, Any]) -> str:
    found: str = data["processes"][-1]
    return found


def folder(data: Mapping[str, Any]) -> str:
    found: str = data["processes"][0]
    return found


def stream(plan: Plan, data: Mapping[str, Any], host: int) -> str:
    """The log stream of one host in this run: ``<job>/<instance id>-<epoch>``, and the container's name behind it where
    there are several (docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html)."""
    instance, container = divmod(host, len(plan.models))
    name = plan.models[container].name
    return f"{plan.name}/{data['instances'][instance]}-{data['epochs'][-1]}{f'/{name}' if name else ''}"


def data_stream(plan: Plan, data: Mapping[str, Any]) -> str:
    """That of the data log, which all runs and instances write: ``.../data-log``."""
    return f"{plan.name}/{data['instances'][0]}-{data['epochs'][0]}/data-log"


def _process(plan: Plan) -> str:
    return f"{MARK}{re.sub(r'[^A-Za-z0-9-]', '-', plan.name)}-{short_id()}"

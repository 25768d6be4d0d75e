"""Callback steps: a message to a queue, then a wait for somebody to answer with its token.

The message: docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps.html, "Callback Step". A stop is told by
another, whose status is ``Stopping``; the execution stops only when that has been answered.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import orjson

from cloche.engines.pipelines.definition import Step
from cloche.engines.pipelines.expressions import text_of
from cloche.engines.pipelines.parameters import Parameter
from cloche.engines.pipelines.run import Run
from cloche.foundation.api import Api

PATIENCE_SECONDS: Final = 7 * 86_400.0
"""After that an unanswered step fails (docs.aws.amazon.com/general/latest/gr/sagemaker.html, limits of pipelines)."""


def send(api: Api, run: Run, queue: str, token: str, arguments: dict[str, Any], status: str) -> None:
    """Raises ``Refused``."""
    body = {"token": token, "pipelineExecutionArn": run.arn, "arguments": arguments, "status": status}
    request = {"QueueUrl": queue, "MessageBody": orjson.dumps(body).decode()}
    if queue.endswith(".fifo"):
        request |= {"MessageGroupId": run.id, "MessageDeduplicationId": f"{token}-{status}"}
    api.call(run.behalf, "sqs", "SendMessage", request)


def await_answer(tx: sqlite3.Connection, run: Run, step: str, token: str) -> None:
    """From now on an answer with ``token`` is this step's."""
    tx.execute(
        "INSERT OR IGNORE INTO pipeline_callbacks (account, token, execution, step) VALUES (?, ?, ?, ?)",
        (run.record.account, token, run.arn, step),
    )


def outputs_as_properties(step: Step, outputs: dict[str, Any]) -> dict[str, Any]:
    """Each in the type that the step declares for it; what is none stays as it is."""
    typed: dict[str, Any] = {}
    for name, value in outputs.items():
        kind = step.outputs.get(name, "String")
        if isinstance(value, (dict, list)):
            typed[name] = value
        elif kind == "String":
            typed[name] = text_of(value)
        else:
            typed[name] = Parameter(name, kind).value_of(text_of(value))
    return {"OutputParameters": typed}

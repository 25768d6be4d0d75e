"""When a step need not run again: a run of the same step of the same pipeline, with the same arguments.

The key is over the arguments' values, references resolved; what the S3 inputs hold is not looked at
(docs.aws.amazon.com/sagemaker/latest/dg/pipelines-caching.html).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson

from cloche.engines.pipelines import quality
from cloche.engines.pipelines.definition import Step


def key_of(step: Step, arguments: dict[str, Any], target: Any = None) -> str:
    """``arguments`` are the step's, evaluated."""
    child = step.child
    members = child.cached if child is not None and child.cached else tuple(arguments)
    held = {name: arguments[name] for name in members if arguments.get(name) not in (None, {}, [])}
    document = [step.type, held, target, dict(step.outputs)]
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def outputs_of(properties: dict[str, Any]) -> Iterator[str]:
    """Where in S3 the thing described keeps what a later step may read."""
    artifacts = properties.get("ModelArtifacts") or {}
    if artifacts.get("S3ModelArtifacts"):
        yield artifacts["S3ModelArtifacts"]
    for output in (properties.get("ProcessingOutputConfig") or {}).get("Outputs") or ():
        uri = (output.get("S3Output") or {}).get("S3Uri")
        if uri:
            yield uri
    for name in quality.CALCULATED:
        if properties.get(name):
            yield properties[name]
    path = (properties.get("TransformOutput") or {}).get("S3OutputPath")
    if path:
        yield path

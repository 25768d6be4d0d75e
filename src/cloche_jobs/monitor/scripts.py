"""The user's own scripts: ``preprocess_handler(inference_record[, logger])`` and ``postprocess_handler()``.

Source: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-pre-and-post-processing.html. The handler's answer is a
dict (a row), a list of dicts (rows), or nothing (the record is left out); its columns are put in the order of their
names as text, which is why AWS's samples fill numbers up with zeros.
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from cloche_jobs.contract.failure import AlgorithmError, UserError
from cloche_jobs.monitor.captured import Payload, Record, Row
from cloche_jobs.monitor.rows import cell_of

log = logging.getLogger("preprocessor")


def preprocessor(path: Path) -> Callable[[Record], Iterator[Row]]:
    """Raises ``UserError`` where the script has no handler; what it answers raises ``AlgorithmError``."""
    handler = _handler(path, "preprocess_handler")
    takes_logger = len(inspect.signature(handler).parameters) > 1

    def rows(record: Record) -> Iterator[Row]:
        seen = _seen(record)
        try:
            answer = handler(seen, log) if takes_logger else handler(seen)
        except Exception as error:
            raise AlgorithmError(
                f"Exception while invoking preprocessor script. {type(error).__name__}: {error} ({record.where})"
            ) from error
        if answer is None:
            return
        for row in answer if isinstance(answer, list | tuple) else [answer]:
            if not isinstance(row, Mapping):
                raise AlgorithmError(
                    "Exception while invoking preprocessor script. preprocess_handler returned "
                    f"{type(row).__name__} where a dict is expected ({record.where})"
                )
            cells = {str(name): value for name, value in row.items()}
            if cells:
                yield {name: cell_of(cells[name]) for name in sorted(cells)}

    return rows


def postprocess(path: Path) -> None:
    """Run it; what it prints is in the job's log."""
    handler = _handler(path, "postprocess_handler")
    try:
        handler()
    except Exception as error:
        raise AlgorithmError(
            f"Exception while invoking post analytics processor script. {type(error).__name__}: {error}"
        ) from error


def _handler(path: Path, name: str) -> Callable[..., Any]:
    if not path.is_file():
        raise UserError(f"the script {path} does not exist")
    handler = getattr(_module(path), name, None)
    if not callable(handler):
        raise UserError(f"the script {path.name} has no function {name}")
    found: Callable[..., Any] = handler
    return found


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UserError(f"the script {path.name} is not Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"the script {path.name} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _seen(record: Record) -> SimpleNamespace:
    """A record as scripts see it; names that AWS's samples use. ``ground_truth`` is there in merged records only."""
    metadata = record.metadata
    attributes = metadata.get("customAttributes")
    event = SimpleNamespace(
        event_id=metadata.get("eventId"),
        inference_id=metadata.get("inferenceId"),
        inference_time=metadata.get("inferenceTime"),
        custom_attribute=attributes,
        custom_attributes=attributes,
    )
    seen = SimpleNamespace(
        endpoint_input=_side(record.input),
        endpoint_output=_side(record.output),
        event_metadata=event,
        event_version=record.version,
    )
    if record.truth is not None:
        seen.ground_truth = _side(record.truth)
    return seen


def _side(payload: Payload | None) -> SimpleNamespace | None:
    if payload is None:
        return None
    return SimpleNamespace(data=payload.data, encoding=payload.encoding, observed_content_type=payload.content_type)

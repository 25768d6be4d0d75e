"""Ground truth joined to what was captured: the merge job of model quality and bias monitors.

A captured record and a truth belong together whose ids are the same: the captured ``inferenceId`` where there is one,
else its ``eventId``; of the truth its ``eventId`` (docs.aws.amazon.com/sagemaker/latest/dg/
model-monitor-model-quality-merge.html). Truths of unknown ids are passed over, records without a truth are left out, of
two truths for an id the later one counts, in the order of their files. Records that share an id all get its truth.

Merged records lie below the output folder as the captured ones did below the source, one file a folder, in the members
that AWS's merged records have.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor.captured import is_within
from cloche_jobs.monitor.files import files_of
from cloche_jobs.monitor.json_files import documents_of_lines
from cloche_jobs.monitor.settings import Format, Settings

log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Raises ``UserError``; says nothing, as AWS's job leaves no exit message."""
    source = settings.path("ground_truth_source")
    if source is None:
        raise UserError("the environment variable ground_truth_source is required")
    truths = _truths(source)
    merged = without = 0
    for folder, paths in _by_folder(settings.source).items():
        # Named by its folder: where windows overlap, a later merge of the same hour takes the earlier one's place, or
        # each record would count as often as it was merged.
        target = settings.output / folder / f"part-00000-{uuid.uuid5(uuid.NAMESPACE_URL, str(folder))}.c000.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        before = merged
        with target.open("w", encoding="utf-8") as file:
            for document, where in _records(paths, settings):
                truth = truths.get(_id(document, where))
                if truth is None:
                    without += 1
                    continue
                merged += 1
                file.write(json.dumps(_merged(document, truth), separators=(",", ":")) + "\n")
        if merged == before:
            target.unlink()
    log.info("%d records were merged; %d captured ones have no ground truth", merged, without)
    if not merged:
        raise UserError(f"No ground truth belongs to a captured record: {len(truths)} truths, {without} records")


def _records(paths: Sequence[Path], settings: Settings) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Captured records of the window, each with where it was found."""
    kind = settings.format.kind
    if kind not in _READERS:
        raise UserError(f"ground truth cannot be merged into {kind.value}")
    for path in paths:
        for number, document in _READERS[kind](path):
            where = f"line {number} of {path.name}"
            if is_within(document, settings, where):
                yield document, where


def _of_csv(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Lines of a transform job with GenerateInferenceId: the last two columns are id and time."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            data, _, tail = line.rstrip("\r\n").rpartition(",")
            data, _, identity = data.rpartition(",")
            if not identity:
                raise UserError(f"line {number} of {path.name} has no inference id: was GenerateInferenceId set?")
            yield number, _transformed(data, "CSV", identity, tail)


def _of_json(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, document in documents_of_lines(path):
        identity, time = document.pop(ID, None), document.pop(TIME, None)
        if not identity:
            raise UserError(f"line {number} of {path.name} has no {ID}: was GenerateInferenceId set?")
        yield number, _transformed(json.dumps(document), "JSON", str(identity), str(time))


def _transformed(data: str, encoding: str, identity: str, time: str) -> Mapping[str, Any]:
    return {
        "captureData": {TRANSFORMED: {"data": data, "encoding": encoding}},
        "eventMetadata": {"eventId": identity, "inferenceTime": time},
        "eventVersion": "0",
    }


TRANSFORMED = "batchTransformOutput"
ID, TIME = "SageMakerInferenceId", "SageMakerInferenceTime"
_READERS: Mapping[Format, Callable[[Path], Iterator[tuple[int, Mapping[str, Any]]]]] = {
    Format.CAPTURE: documents_of_lines,
    Format.CSV: _of_csv,
    Format.JSON: _of_json,
}


def _by_folder(source: Path) -> dict[Path, list[Path]]:
    found: dict[Path, list[Path]] = {}
    for path in files_of(source):
        found.setdefault(path.parent.relative_to(source) if source.is_dir() else Path(), []).append(path)
    return found


def _truths(source: Path) -> dict[str, Mapping[str, str]]:
    truths: dict[str, Mapping[str, str]] = {}
    for path in files_of(source):
        for number, document in documents_of_lines(path):
            where = f"line {number} of {path.name}"
            data = document.get("groundTruthData")
            if not isinstance(data, dict) or "data" not in data:
                raise UserError(f"{where} is no ground truth: it needs groundTruthData and eventMetadata")
            identity = str((document.get("eventMetadata") or {}).get("eventId") or "")
            if not identity:
                raise UserError(f"{where} is no ground truth: its eventMetadata has no eventId")
            truths[identity] = {"data": str(data["data"]), "encoding": str(data.get("encoding", "CSV"))}
    return truths


def _id(document: Mapping[str, Any], where: str) -> str:
    metadata = document.get("eventMetadata")
    if not isinstance(metadata, dict) or not isinstance(document.get("captureData"), dict):
        raise UserError(f"{where} is not a captured record: it needs captureData and eventMetadata")
    return str(metadata.get("inferenceId") or metadata.get("eventId") or "")


def _merged(document: Mapping[str, Any], truth: Mapping[str, str]) -> dict[str, Any]:
    sides = {
        name: {key: side[key] for key in ("data", "encoding", "observedContentType") if key in side}
        for name, side in document["captureData"].items()
        if isinstance(side, dict)
    }
    metadata = document["eventMetadata"]
    if TRANSFORMED in sides:
        metadata = {"eventId": metadata["eventId"]}
    return {
        "eventMetadata": metadata,
        "eventVersion": document.get("eventVersion", "0"),
        "groundTruthData": truth,
        "captureData": sides,
    }

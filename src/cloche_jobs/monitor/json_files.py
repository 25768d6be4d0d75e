"""Datasets of JSON files: an object a line, or one document a file (an object, or a list of them)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor.rows import blocks_of, flat

LINE_BYTES_MAX = 128 << 20
"""A captured request and its answer have up to 25 MB each, as base64 a third more."""


def blocks(paths: Sequence[Path], *, lines: bool) -> Iterator[Any]:
    """Arrow record batches. Raises ``UserError``."""
    return blocks_of(row for path in paths for row in (_rows_of_lines(path) if lines else _rows_of_document(path)))


def documents_of_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The object of each line with its number. Raises ``UserError`` for a line that is none."""
    with pa.input_stream(str(path), compression="detect") as stream:
        for number, line in enumerate(_lines(stream, path.name), 1):
            if line.strip():
                yield number, _object(line, f"line {number} of {path.name}")


def _lines(stream: Any, name: str) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(1 << 20):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if len(rest) > LINE_BYTES_MAX:
            raise UserError(f"a line of {name} is longer than {LINE_BYTES_MAX} bytes")
    if rest:
        yield rest


def _object(text: bytes, where: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"{where} is not a JSON object")
    return document


def _rows_of_lines(path: Path) -> Iterator[Mapping[str, str | None]]:
    for _, document in documents_of_lines(path):
        yield flat(document)


def _rows_of_document(path: Path) -> Iterator[Mapping[str, str | None]]:
    with pa.input_stream(str(path), compression="detect") as stream:
        text = stream.read()
    if not text.strip():
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path.name} is not JSON: {error}") from error
    for each in document if isinstance(document, list) else [document]:
        if not isinstance(each, dict):
            raise UserError(f"{path.name} holds something else than JSON objects")
        yield flat(each)

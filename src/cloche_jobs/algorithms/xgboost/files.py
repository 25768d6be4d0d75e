"""Which files of a channel are data, and in which form. Rules: ``data_utils.py`` of aws/sagemaker-xgboost-container."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from cloche_jobs.algorithms.xgboost.spec import CSV_TYPES, LIBSVM_TYPES, NOT_YET_TYPES
from cloche_jobs.contract.failure import UserError

FOLDER_DEPTH_MAX: Final = 3
_ACCEPTED = "csv, libsvm, parquet, recordio-protobuf, text/csv, text/libsvm, text/x-libsvm, application/x-parquet, application/x-recordio-protobuf"  # noqa: E501
log = logging.getLogger(__name__)


def media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """``text/csv; label_size=1`` in parts, lower case."""
    head, *rest = content_type.lower().split(";")
    pairs = (part.split("=", 1) for part in rest if "=" in part)
    return head.strip(), {name.strip(): value.strip().strip('"') for name, value in pairs}


def form_of(content_type: str) -> Literal["csv", "libsvm"]:
    """How data of that type is read. Raises ``UserError`` in AWS's words, or by name where Cloche cannot."""
    kind, parameters = media_type(content_type)
    if kind in CSV_TYPES:
        if parameters.get("label_size", "1") != "1":
            raise UserError(
                f"{content_type} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
            )
        return "csv"
    if kind in LIBSVM_TYPES:
        return "libsvm"
    if kind in NOT_YET_TYPES:
        raise UserError(f"Cloche does not read {content_type} yet; give the data as text/csv or text/libsvm.")
    raise UserError(f"{content_type} is not an accepted ContentType: {_ACCEPTED}.")


def data_files(folder: Path) -> list[Path]:
    """The channel's files, sorted, down to the depth AWS reads. Raises ``UserError``."""
    if not folder.exists():
        return []
    return sorted(_walk(folder, folder, 1))


def _walk(root: Path, folder: Path, depth: int) -> Iterator[Path]:
    if depth > FOLDER_DEPTH_MAX:
        log.warning(
            "The depth of folder %s exceed the limit %d. Files in deeper sub dirs won't be loaded. "
            "Please adjust the folder structure accordingly.",
            root,
            FOLDER_DEPTH_MAX,
        )
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _walk(root, Path(entry.path), depth + 1)
            elif entry.name.startswith("."):
                raise UserError("Hidden file found in the data path! Remove that before training.")
            elif not entry.name.startswith("_") and entry.stat().st_size:
                yield Path(entry.path)


def delimiter_of(path: Path) -> str:
    """Sniffed from the first line. Raises ``UserError`` in AWS's words."""
    with path.open(encoding="utf-8-sig", errors="replace", newline=None) as stream:
        line = stream.readline(65_536)
    try:
        delimiter = csv.Sniffer().sniff(line).delimiter
    except csv.Error as error:
        raise UserError(f"Could not determine delimiter on line {line[:50]}:\n{error}") from error
    if (delimiter.isalnum() or delimiter in ".+-") and "," in line:
        delimiter = ","
    log.info("Determined delimiter of CSV input is '%s'", delimiter)
    return delimiter

"""The blocks of a dataset that is a table: CSV, JSON or Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor import csv_files, json_files, parquet_files
from cloche_jobs.monitor.files import files_of
from cloche_jobs.monitor.settings import Format, Settings


def table_blocks(settings: Settings) -> Iterator[Any]:
    """Arrow record batches. Raises ``UserError``."""
    paths, kind = files_of(settings.source), settings.format.kind
    if settings.get("record_preprocessor_script"):
        raise UserError(
            f"record_preprocessor_script is supported with dataset_format {Format.CAPTURE.value} only, not {kind.value}"
        )
    if kind is Format.CSV:
        return csv_files.blocks(paths, header=settings.format.header)
    if kind is Format.JSON:
        return json_files.blocks(paths, lines=settings.format.lines)
    return parquet_files.blocks(paths)

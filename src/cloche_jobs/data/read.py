"""One table of a channel's data, whatever its form."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from cloche_jobs.data.content_types import Form
from cloche_jobs.data.sources import Source
from cloche_jobs.data.table import Table

_READERS: Final[dict[Form, str]] = {
    "csv": "csv_rows:read_csv",
    "libsvm": "libsvm_rows:read_libsvm",
    "parquet": "parquet_rows:read_parquet",
    "recordio-protobuf": "protobuf_rows:read_protobuf",
}
"""Loaded when they are needed: pyarrow and scipy take longer to import than a small job to train."""


def read_table(form: Form, sources: list[Source], *, weights: bool = False) -> Table:
    """Label first; ``weights``: of CSV the second column is each row's weight. Raises ``UserError``."""
    module, _, function = _READERS[form].partition(":")
    read: Any = getattr(import_module(f"cloche_jobs.data.{module}"), function)
    table: Table = read(sources, weights=weights) if form == "csv" else read(sources)
    return table

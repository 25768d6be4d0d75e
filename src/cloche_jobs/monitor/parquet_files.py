"""Datasets of Parquet files: types are the files' own; what is no number or boolean is looked at as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cloche_jobs.contract.failure import UserError

ROWS = 64 << 10


def blocks(paths: Sequence[Path]) -> Iterator[Any]:
    """Arrow record batches. Raises ``UserError``."""
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=ROWS):
                    yield pa.record_batch([_readable(column) for column in batch.columns], batch.schema.names)
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{path.name} is not Parquet: {str(error).splitlines()[0]}") from error
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise UserError(f"{path.name} has a column that is not flat: {str(error).splitlines()[0]}") from error


def _readable(column: Any) -> Any:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_string(kind):
        return column
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    return column.cast(pa.string())

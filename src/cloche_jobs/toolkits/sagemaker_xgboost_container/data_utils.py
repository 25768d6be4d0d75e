"""A channel's files as a matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloche_jobs.algorithms.xgboost.content import accepted_form
from cloche_jobs.algorithms.xgboost.train import matrix_of
from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.sources import Source, data_files


def get_dmatrix(data_path: str | None, content_type: str, csv_weights: int = 0, is_pipe: bool = False) -> Any:
    """An ``xgboost.DMatrix`` of the file or the folder; ``None`` where there is nothing. Raises ``UserError``."""
    if is_pipe:
        raise UserError("get_dmatrix of a pipe is not supported by Cloche: read the channel in File mode.")
    if data_path is None or not (path := Path(data_path)).exists():
        return None
    found = [Source.of(each) for each in (data_files(path) if path.is_dir() else [path])]
    return matrix_of(found, data_path, accepted_form(content_type), bool(csv_weights)) if found else None

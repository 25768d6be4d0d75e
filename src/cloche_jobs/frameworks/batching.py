"""Several questions, one prediction: for models whose answer to a row does not depend on its neighbours.

Questions that wait while the model is busy are read one by one, their rows predicted together, and the answers written
one by one: a call of a forest of trees costs milliseconds whether it is for one row or for thirty. Nobody waits for a
batch to fill, so a lone question is not slowed down. What is in any way unusual (another number of columns, a body that
cannot be read, an error) is left to the ordinary way, alone, so that its caller is told what it would have been told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

Array = Any  # numpy.ndarray; numpy is not installed where the types are checked
QUESTIONS_MAX: Final = 64
ROWS_MAX: Final = 4_096


def predict_together(tables: Sequence[Array | None], predict: Callable[[Array], Array]) -> list[Array | None]:
    """A prediction for each table (rows by columns), ``None`` for what is to be predicted alone."""
    import numpy

    groups: dict[tuple[Any, int], list[int]] = defaultdict(list)
    for at, table in enumerate(tables):
        if isinstance(table, numpy.ndarray) and table.ndim == 2 and len(table) <= ROWS_MAX:
            groups[table.dtype, table.shape[1]].append(at)
    found: list[Array | None] = [None] * len(tables)
    for members in groups.values():
        if len(members) > 1:
            for at, part in zip(members, _split([tables[at] for at in members], predict), strict=True):
                found[at] = part
    return found


def _split(tables: list[Array], predict: Callable[[Array], Array]) -> list[Array | None]:
    import numpy

    try:
        predictions = predict(numpy.concatenate(tables))
        ends = numpy.cumsum([len(table) for table in tables])
        if len(predictions) != ends[-1]:
            return [None] * len(tables)
    except Exception:
        return [None] * len(tables)
    return [predictions[end - len(table) : end] for end, table in zip(ends, tables, strict=True)]

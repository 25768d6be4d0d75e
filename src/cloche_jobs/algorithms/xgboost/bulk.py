"""Long bodies of CSV to rows, and long answers to text, by Arrow: many times as fast as one cell after the other.

Both give what the careful ways give to the last bit, or give up and leave it to them: what has anything but numbers in
it, and numbers whose shortest text Arrow and Python write differently. Arrow is only loaded once such a body comes.
"""

from __future__ import annotations

from typing import Final

from cloche_jobs.algorithms.xgboost.engine import Array, numpy

BYTES_MIN: Final = 256 * 1024
VALUES_MIN: Final = 2_000
_PLAIN_MIN, _PLAIN_MAX = 1e-4, 1e15
"""Between these both write a fraction as digits with a point."""
_MISSING: Final = ["", "nan", "NaN"]


def read_csv(body: bytes) -> Array | None:
    """A table of numbers, empty cells missing; ``None`` where it is not plainly one."""
    from pyarrow import ArrowInvalid, csv, float64, py_buffer

    body = body.strip()
    first = body.partition(b"\n")[0]
    if b"," not in first or b"\n\n" in body or b"\n\r" in body:  # an empty line is no row
        return None
    names = [f"f{number}" for number in range(first.count(b",") + 1)]
    try:
        table = csv.read_csv(
            py_buffer(body),
            csv.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=len(body) + 1),
            csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(check_utf8=False, column_types=dict.fromkeys(names, float64()), null_values=_MISSING),
        )
    except ArrowInvalid:
        return None
    rows = numpy.empty((table.num_rows, table.num_columns), dtype=numpy.float32)
    with numpy.errstate(over="ignore"):
        for number, column in enumerate(table.columns):
            rows[:, number] = column.to_numpy()
    return None if numpy.isinf(rows).any() else rows


def write_lines(values: Array) -> bytes | None:
    """Each number on a line, as ``repr`` writes it; ``None`` where to ask it for each is as quick."""
    if values.ndim != 1 or len(values) < VALUES_MIN:
        return None
    from pyarrow import BufferOutputStream, csv, table

    wide = values.astype(numpy.float64)
    size = numpy.abs(wide)
    others = numpy.flatnonzero(~((size >= _PLAIN_MIN) & (size < _PLAIN_MAX) & (numpy.trunc(wide) != wide)))
    if len(others) > len(values) // 8:
        return None
    stream = BufferOutputStream()
    csv.write_csv(table({"value": wide}), stream, csv.WriteOptions(include_header=False))
    written = bytes(stream.getvalue().to_pybytes())
    if len(others):
        lines = written.split(b"\n")
        for at in others.tolist():
            lines[at] = repr(float(wide[at])).encode()
        written = b"\n".join(lines)
    return written

"""libsvm text to a table. What is no number ends the job with the file, row and column named."""

from __future__ import annotations

from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.sources import Source
from cloche_jobs.data.table import Table, numpy, shown


def read_libsvm(sources: list[Source]) -> Table:
    """All sources in order: ``label[:weight] [qid:n] index:value …``, indices as written. Raises ``UserError``."""
    from scipy.sparse import csr_matrix

    reader = _Libsvm()
    for source in sources:
        with source.text() as stream:
            for number, line in enumerate(stream, 1):
                if line := line.split("#", 1)[0].strip():
                    reader.take(source, number, line)
    count = len(reader.labels)
    if not count:
        raise UserError(f"{sources[0].name} holds no rows.")
    if (reader.weights and len(reader.weights) != count) or (reader.groups and len(reader.groups) != count):
        raise UserError("Either every row or none has an instance weight, and likewise a qid.")
    columns = max(reader.indices, default=-1) + 1
    matrix = csr_matrix(
        (
            numpy.array(reader.values, dtype=numpy.float32),
            numpy.array(reader.indices, dtype=numpy.int32),
            numpy.array(reader.starts, dtype=numpy.int64),
        ),
        shape=(count, columns),
    )
    return Table(
        matrix,
        numpy.array(reader.labels, dtype=numpy.float32),
        numpy.array(reader.weights, dtype=numpy.float32) if reader.weights else None,
        numpy.array(reader.groups, dtype=numpy.int64) if reader.groups else None,
    )


class _Libsvm:
    """Rows as they are read; ``starts`` are the offsets a compressed row matrix wants."""

    def __init__(self) -> None:
        self.labels: list[float] = []
        self.weights: list[float] = []
        self.groups: list[int] = []
        self.values: list[float] = []
        self.indices: list[int] = []
        self.starts: list[int] = [0]

    def take(self, source: Source, number: int, line: str) -> None:
        first, *rest = line.split()
        column = 1
        try:
            label, _, weight = first.partition(":")
            self.labels.append(float(label))
            if weight:
                self.weights.append(float(weight))
            for column, token in enumerate(rest, 2):  # noqa: B007  told in the message below
                index, _, value = token.partition(":")
                if index == "qid":
                    self.groups.append(int(value))
                    continue
                self.indices.append(self.index(index))
                self.values.append(float(value))
        except ValueError:
            token = line.split()[column - 1]
            raise UserError(
                f"Malformed LIBSVM: {source.name}, row {number}, column {column}: {shown(token)} is not "
                f"{'<label>(:<weight>)' if column == 1 else '<index>:<value>'}."
            ) from None
        self.starts.append(len(self.indices))

    @staticmethod
    def index(text: str) -> int:
        index = int(text)
        if not 0 <= index < 2**31 - 1:
            raise ValueError(index)
        return index

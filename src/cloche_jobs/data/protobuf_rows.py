"""RecordIO-protobuf to a table: the feature and the label called ``values``, dense or sparse, of every record.

One sparse record makes the whole table sparse. Source: ``recordio_protobuf.py`` of aws/sagemaker-xgboost-container;
docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html.
"""

from __future__ import annotations

import math

from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.record import VALUES, Record, Tensor, read_records
from cloche_jobs.data.sources import Source
from cloche_jobs.data.table import Array, Table, numpy


def read_protobuf(sources: list[Source], *, labelled: bool = True) -> Table:
    """All sources in order; ``labels`` is ``None`` where no record has one. Raises ``UserError``."""
    rows = _Rows(labelled)
    for source in sources:
        with source.open() as stream:
            for number, record in enumerate(read_records(stream, name=source.name), 1):
                rows.take(record, f"{source.name}, record {number}")
    return rows.table()


class _Rows:
    def __init__(self, labelled: bool) -> None:
        self.labelled = labelled
        self.tensors: list[Tensor] = []
        self.labels: list[float] = []

    def take(self, record: Record, where: str) -> None:
        features = record.features.get(VALUES)
        if not isinstance(features, Tensor):
            raise UserError(f"{where}: there is no feature called {VALUES!r} that is a tensor.")
        label = record.label.get(VALUES)
        if isinstance(label, Tensor) and label.values:
            value = float(label.values[0])
            if not math.isfinite(value):
                raise UserError(f"{where}: the label is missing or infinite.")
            self.labels.append(value)
        elif self.labelled:
            raise UserError(f"{where}: Got input data without labels. Please check the input data set.")
        self.tensors.append(features)

    def table(self) -> Table:
        if not self.tensors:
            raise UserError("No records found in RecordIO-Protobuf data")
        labels = numpy.array(self.labels, dtype=numpy.float32) if self.labels else None
        if labels is not None and len(labels) != len(self.tensors):
            raise UserError("Either every record or none has a label.")
        is_sparse = any(tensor.is_sparse for tensor in self.tensors)
        return Table(self._sparse() if is_sparse else self._dense(), labels)

    def _dense(self) -> Array:
        columns = len(self.tensors[0].values)
        whole = numpy.empty((len(self.tensors), columns), dtype=numpy.float32)
        for number, tensor in enumerate(self.tensors):
            if len(tensor.values) != columns:
                raise UserError(f"Record {number + 1} has {len(tensor.values)} values where the first has {columns}.")
            whole[number] = tensor.values
        return whole

    def _sparse(self) -> Array:
        from scipy.sparse import csr_matrix

        columns = max(_width(tensor) for tensor in self.tensors)
        keys = [_keys(tensor) for tensor in self.tensors]
        return csr_matrix(
            (
                numpy.concatenate([numpy.asarray(tensor.values, dtype=numpy.float32) for tensor in self.tensors]),
                numpy.concatenate(keys),
                numpy.cumsum([0, *map(len, keys)]),
            ),
            shape=(len(self.tensors), columns),
        )


def _width(tensor: Tensor) -> int:
    width = math.prod(tensor.shape) if tensor.shape else max(len(tensor.values), max(tensor.keys, default=-1) + 1)
    if width >= 2**31:
        raise UserError(f"A record of {width} columns is wider than any model.")
    return width


def _keys(tensor: Tensor) -> Array:
    if tensor.is_sparse:
        return numpy.asarray(tensor.keys, dtype=numpy.int64)
    return numpy.arange(len(tensor.values), dtype=numpy.int64)

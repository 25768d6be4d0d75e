"""Request bodies as matrices."""

from __future__ import annotations

from functools import partial

from cloche_jobs.frameworks.xgboost.serve import default_input_fn as decode

csv_to_dmatrix = partial(decode, content_type="text/csv")
libsvm_to_dmatrix = partial(decode, content_type="text/libsvm")
recordio_protobuf_to_dmatrix = partial(decode, content_type="application/x-recordio-protobuf")

__all__ = ["csv_to_dmatrix", "decode", "libsvm_to_dmatrix", "recordio_protobuf_to_dmatrix"]

"""Forms of data that several algorithms and input modes share.

``content_types`` says which form a channel holds, ``sources`` finds its bytes (files or a pipe), and ``read`` makes one
``Table`` of them: ``csv_rows``, ``libsvm_rows``, ``parquet_rows``, ``protobuf_rows``. These need numpy, and each what
its form needs beside it, once it is read. ``recordio``, ``record`` and ``wire`` need the standard library alone: any
image can load them.
"""

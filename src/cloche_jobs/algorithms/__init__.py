"""Built-in algorithms, one folder each: ``spec`` (import-light, the server reads it), ``train``, ``serve``."""

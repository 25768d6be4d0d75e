"""Built-in XGBoost: ``spec`` (import-light), ``train``, ``serve``."""

"""The ``cloche`` command."""

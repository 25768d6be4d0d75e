"""Cloche: the AWS machine-learning stack under glass."""

__version__ = "0.1.0"

"""Processes on this machine: in a bubblewrap sandbox where that works, else as plain processes."""

from cloche.compute.local.runtime import LocalRuntime

__all__ = ["LocalRuntime"]

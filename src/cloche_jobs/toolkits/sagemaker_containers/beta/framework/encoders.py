"""Arrays as JSON, CSV or npy, and back."""

from cloche_jobs.frameworks.encoding import decoded as decode
from cloche_jobs.frameworks.encoding import encoded as encode

__all__ = ["decode", "encode"]

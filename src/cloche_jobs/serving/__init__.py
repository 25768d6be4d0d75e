"""The model server's process: HTTP/1.1 on a Unix socket or port 8080, ``/ping`` and ``/invocations``."""

from __future__ import annotations

from cloche_jobs.serving.model import Answer, InferenceError, Model, OneByOne, Question, Stream
from cloche_jobs.serving.server import serve

__all__ = ["Answer", "InferenceError", "Model", "OneByOne", "Question", "Stream", "serve"]

"""What ``output_fn`` and ``transform_fn`` may return instead of text or bytes."""

from __future__ import annotations

from collections.abc import Mapping

from cloche_jobs.serving import Answer


def Response(  # noqa: N802  AWS's is a class
    response: str | bytes | None = None,
    accept: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    mimetype: str | None = None,
) -> Answer:
    """An answer with its type: ``mimetype``, else ``accept``, else JSON."""
    kind = mimetype or accept or "application/json"
    if kind.startswith("text/") and "charset" not in kind:
        kind += "; charset=utf-8"
    body = response.encode() if isinstance(response, str) else response or b""
    return Answer(body, kind, int(status), dict(headers or {}))

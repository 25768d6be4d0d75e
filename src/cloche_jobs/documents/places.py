"""Where a document's job finds what it is made of, and where it leaves the document."""

from __future__ import annotations

from pathlib import Path

from cloche_jobs.contract.layout import Layout


def card_file(layout: Layout) -> Path:
    """``name``, ``version``, ``status``, ``written_at`` and ``content`` of a model card, as JSON."""
    return layout.config / "modelcard.json"


def document_file(layout: Layout) -> Path:
    return layout.output / "document.pdf"

"""How export jobs of model cards are filed: as ``card/job``, so that those of one card lie together."""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.storage.metadata.records import Record

KIND: Final = "sagemaker/ModelCardExportJob"


def of_card(card: str) -> tuple[str, str]:
    """Names of the card's jobs lie between these two (``0`` follows ``/``)."""
    return f"{card}/", f"{card}0"


def export_names(connection: sqlite3.Connection, card: Record) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM records WHERE account = ? AND region = ? AND kind = ? AND name > ? AND name < ?",
        (card.account, card.region, KIND, *of_card(card.name)),
    )
    return [row["name"].rpartition("/")[2] for row in rows.fetchall()]

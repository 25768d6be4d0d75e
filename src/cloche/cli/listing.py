"""Tables for people; plain, tab-separated lines where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """``empty`` is said (to standard error) where there are no rows."""
    lines = [tuple(row) for row in rows]
    if not lines:
        click.echo(empty, err=True)
    elif not sys.stdout.isatty():
        for line in lines:
            click.echo("\t".join(line))
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for line in lines:
            table.add_row(*map(Text, line))
        Console().print(table)


def moment(seconds: float | None) -> str:
    """Seconds since 1970 as local time to read."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A duration to read: ``2 m 05 s``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} m {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} m"

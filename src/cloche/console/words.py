"""How the console says times, sizes and states. Filters for the templates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

GOOD = {"Completed", "InService", "Succeeded", "Successful", "Approved", "Active", "Scheduled", "OK", "delivered"}
BAD = {
    "Failed",
    "OutOfService",
    "UpdateRollbackFailed",
    "CompletedWithFailures",
    "CompletedWithViolations",
    "InAlert",
    "Rejected",
    "ALARM",
    "given up",
    "dead letter",
}
MOVING = {
    "InProgress",
    "Pending",
    "Creating",
    "Updating",
    "Stopping",
    "Deleting",
    "SystemUpdating",
    "RollingBack",
    "ActivatingTraffic",
    "Baking",
    "Executing",
    "Starting",
    "failed",
}


def ago(at: datetime | float | None, now: datetime) -> str:
    """``3 s ago``, ``4 min ago``, ``2 h ago``, ``5 d ago``."""
    if at is None:
        return ""
    return f"{duration((now - _moment(at)).total_seconds())} ago"


def duration(seconds: float | None) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``, ``6 d``."""
    if seconds is None:
        return ""
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds) % 60} s"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // (24 * 60)} d"


def span(seconds: float) -> str:
    """As ``duration``, but to the hour from a day on: ``1 d 12 h``, ``7 d``."""
    hours = round(seconds / 3600)
    if hours < 24:
        return duration(round(seconds))
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def moment(at: datetime | float | None) -> str:
    """Local time of the server, to the second."""
    return "" if at is None else _moment(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: int | None) -> str:
    """Bytes with a binary unit: ``512 B``, ``1.5 KiB``, ``3.0 GiB``."""
    if count is None:
        return ""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{int(value)} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def tone(status: str | None) -> str:
    """Which colour a state wears."""
    if status in GOOD:
        return "good"
    if status in BAD:
        return "bad"
    return "moving" if status in MOVING else "quiet"


def number(value: float) -> str:
    return f"{value:.6g}"


def _moment(at: datetime | float) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)


FILTERS: dict[str, Callable[..., Any]] = {
    "duration": duration,
    "span": span,
    "moment": moment,
    "size": size,
    "tone": tone,
    "number": number,
}

"""An evaluation as files: JSON for pipelines and the registry, a page and plots for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from html import escape
from pathlib import Path
from typing import Any


@dataclass
class Evaluation:
    """What ``write`` puts into a folder. ``groups`` is ``evaluation.json``, ``plots`` are SVG by name."""

    groups: dict[str, Any]
    plots: dict[str, str] = field(default_factory=dict)
    title: str = "Evaluation"

    def write(self, folder: str | Path) -> None:
        """``evaluation.json``, ``report.html`` and ``plots/<name>.svg``; the folder is made."""
        target = Path(folder)
        (target / "plots").mkdir(parents=True, exist_ok=True)
        text = json.dumps(plain(self.groups), indent=1, allow_nan=False)
        (target / "evaluation.json").write_text(text, encoding="utf-8")
        for name, drawing in self.plots.items():
            (target / "plots" / f"{name}.svg").write_text(drawing, encoding="utf-8")
        (target / "report.html").write_text(self.report(), encoding="utf-8")

    def report(self) -> str:
        """All of it on one page that needs nothing else."""
        tables = "".join(f"<h2>{escape(name)}</h2>{_table(group)}" for name, group in plain(self.groups).items())
        style = "body{font:14px sans-serif;margin:2em}td,th{padding:.2em 1em .2em 0;text-align:left}svg{margin:.5em}"
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(self.title)}</title>'
            f"<style>{style}</style><h1>{escape(self.title)}</h1>{''.join(self.plots.values())}{tables}</html>\n"
        )


def plain(value: Any) -> Any:
    """As JSON has it: numpy's numbers as Python's, and ``"NaN"``, ``"Infinity"`` as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): plain(held) for name, held in value.items()}
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        held = value.tolist() if hasattr(value, "tolist") else value
        return [plain(each) for each in held] if isinstance(held, (list, tuple)) else plain(held)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _table(group: Any) -> str:
    if isinstance(group, list):
        names = list(dict.fromkeys(name for each in group for name in each))
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        rows = "".join("<tr>" + "".join(f"<td>{_cell(each.get(n))}</td>" for n in names) + "</tr>" for each in group)
        return f"<table><tr>{head}</tr>{rows}</table>"
    rows = "".join(f"<tr><th>{escape(str(name))}</th><td>{_cell(held)}</td></tr>" for name, held in group.items())
    return f"<table>{rows}</table>"


def _cell(held: Any) -> str:
    if isinstance(held, dict) and set(held) == {"value", "standard_deviation"}:
        return f"{_cell(held['value'])} ± {_cell(held['standard_deviation'])}"
    if isinstance(held, dict):
        return "<br>".join(f"{escape(str(name))}: {_cell(each)}" for name, each in held.items())
    if isinstance(held, list):
        return f"{len(held)} values" if len(held) > 12 else ", ".join(_cell(each) for each in held)
    return f"{held:.6g}" if isinstance(held, float) else escape("" if held is None else str(held))

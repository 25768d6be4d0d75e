"""Write docs/reference/hyperparameters.md: what built-in algorithms declare, from their ``spec`` modules.

python tools/hyperparameters_page.py           write the page
python tools/hyperparameters_page.py --check   say whether it is up to date
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from reference_page import ROOT, main, table

ALGORITHMS = ROOT / "src" / "cloche_jobs" / "algorithms"


def page() -> str:
    lines = [
        "# Hyperparameters of built-in algorithms",
        "",
        "Computed by `tools/hyperparameters_page.py` from each algorithm's `spec.py`; do not edit. As on AWS, the job",
        "checks them and fails with a message that names the one that does not hold.",
    ]
    for spec in sorted(ALGORITHMS.glob("*/spec.py")):
        lines += _algorithm(
            spec.parent.name, importlib.import_module(f"cloche_jobs.algorithms.{spec.parent.name}.spec")
        )
    return "\n".join(lines) + "\n"


def _algorithm(name: str, spec: Any) -> list[str]:
    rows = [
        (
            f"`{one.name}`" + (" (required)" if one.required else ""),
            one.type,
            _range(one),
            f"`{one.default}`" if one.default is not None else "",
            f"{one.tunable}" if one.tunable is not None else "",
        )
        for one in spec.HYPERPARAMETERS.declared
        if not one.name.startswith("_")
    ]
    lines = ["", f"## {name}", "", *table(("name", "type", "range", "default", "tune within"), rows)]
    if spec.HYPERPARAMETERS.aliases:
        told = ", ".join(f"`{alias}` for `{real}`" for alias, real in spec.HYPERPARAMETERS.aliases.items())
        lines += ["", f"Other names: {told}."]
    channels = [
        (
            f"`{channel.name}`" + (" (required)" if channel.required else ""),
            ", ".join(f"`{kind}`" for kind in channel.content_types),
        )
        for channel in spec.CHANNELS.declared
    ]
    default = f"A channel without a content type is read as `{spec.CHANNELS.default_content_type}`."
    return [*lines, "", *table(("channel", "content types"), channels), "", default]


def _range(one: Any) -> str:
    return one.shown_range() if not isinstance(one.range, tuple) else ", ".join(f"`{value}`" for value in one.range)


if __name__ == "__main__":
    sys.exit(main("hyperparameters.md", page(), "hyperparameters_page.py"))

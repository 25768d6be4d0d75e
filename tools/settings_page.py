"""Write docs/reference/settings.md: what can be chosen, which variables are read, and every bound, from the code.

python tools/settings_page.py           write the page
python tools/settings_page.py --check   say whether it is up to date
"""

from __future__ import annotations

import ast
import dataclasses
import sys
from pathlib import Path

import click
from reference_page import ROOT, main, table

from cloche.cli.main import main as cloche
from cloche.foundation import limits
from cloche.foundation.settings import Settings

SOURCE = ROOT / "src" / "cloche"


def page() -> str:
    return "\n".join(
        [
            "# Settings",
            "",
            "Computed by `tools/settings_page.py` from the code; do not edit. Cloche has no configuration file:",
            "what can be chosen is an option of [`cloche up`](commands.md#cloche-up), and holds until it stops.",
            "",
            "## What `cloche up` chooses",
            "",
            *table(("setting", "default", "option", "what it is"), _settings()),
            "",
            "## Environment variables that are read",
            "",
            *table(("variable", "read in"), _variables()),
            "",
            "What clients need is printed by `cloche env`; see [getting started](../guides/getting-started.md).",
            "",
            "## Bounds",
            "",
            "From `foundation/limits.py`. Reaching one is an error that says so.",
            "",
            *table(("bound", "value"), _bounds()),
            "",
        ]
    )


def _settings() -> list[tuple[str, ...]]:
    documented = _docstrings(SOURCE / "foundation" / "settings.py", "Settings")
    command = cloche.get_command(click.Context(cloche), "up")
    assert command is not None
    options = {option.name: option for option in command.params if isinstance(option, click.Option)}
    rows = []
    for field in dataclasses.fields(Settings):
        option = options.get(field.name)
        default = "" if field.default in (dataclasses.MISSING, None, "", False) else f"`{field.default}`"
        if option is not None and field.default is dataclasses.MISSING:
            default = f"`{option.default}`"
        said = documented.get(field.name) or (option.help if option is not None and option.help else "")
        flag = f"`{option.opts[0]}`" if option is not None else "not an option"
        rows.append((f"`{field.name}`", default, flag, said))
    return rows


def _docstrings(file: Path, name: str) -> dict[str, str]:
    """The strings that stand below a class's fields."""
    tree = ast.parse(file.read_text())
    [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    found, last = {}, ""
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
        elif last and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[last] = " ".join(str(node.value.value).replace("``", "`").split())
            last = ""
    return found


def _variables() -> list[tuple[str, ...]]:
    """Names given to ``os.environ.get`` and to click's ``envvar``, in the code of the server and the commands."""
    found: dict[str, set[str]] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            given = [word.value for word in node.keywords if word.arg == "envvar"]
            if ast.unparse(node.func) == "os.environ.get":
                given += node.args[:1]
            for name in given:
                if isinstance(name, ast.Constant):
                    found.setdefault(str(name.value), set()).add(file.relative_to(SOURCE).as_posix())
    return [(f"`{name}`", ", ".join(f"`{file}`" for file in sorted(files))) for name, files in sorted(found.items())]


def _bounds() -> list[tuple[str, ...]]:
    names = [name for name in vars(limits) if name.isupper() and name not in ("KIB", "MIB", "GIB")]
    return [(f"`{name}`", f"{getattr(limits, name):,}") for name in names]


if __name__ == "__main__":
    sys.exit(main("settings.md", page(), "settings_page.py"))

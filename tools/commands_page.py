"""Write docs/reference/commands.md: every command of ``cloche``, its arguments and options, from the code.

python tools/commands_page.py           write the page
python tools/commands_page.py --check   say whether it is up to date
"""

from __future__ import annotations

import sys

import click
from reference_page import main, table

from cloche.cli.main import main as cloche


def page() -> str:
    context = click.Context(cloche, info_name="cloche")
    lines = ["# Commands", "", "Computed by `tools/commands_page.py` from the code; do not edit."]
    for name in cloche.list_commands(context):
        found = cloche.get_command(context, name)
        assert found is not None
        lines += _command(found, f"cloche {name}")
    return "\n".join(lines) + "\n"


def _command(command: click.Command, name: str) -> list[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    lines = ["", f"## {name}", "", f"    {usage}", "", " ".join((command.help or "").split())]
    options = [
        (", ".join(f"`{flag}`" for flag in option.opts), _default(option, context), option.help or "")
        for option in command.params
        if isinstance(option, click.Option)
    ]
    if options:
        lines += ["", *table(("option", "default", "what it does"), options)]
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            lines += _command(found, f"{name} {inner}")
    return lines


def _default(option: click.Option, context: click.Context) -> str:
    said = option.get_help_extra(context)
    shown = f"`{said['default']}`" if "default" in said else ""
    return shown + (f" (`${option.envvar}`)" if option.envvar else "")


if __name__ == "__main__":
    sys.exit(main("commands.md", page(), "commands_page.py"))

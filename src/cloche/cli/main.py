"""``cloche``: commands are modules of their own, imported when asked for, so that ``up`` starts at once."""

from __future__ import annotations

import importlib
from typing import Any, Final

import click

_COMMANDS: Final = {
    "up": "Start Cloche on this machine.",
    "down": "Stop it. Jobs run on (unless --all); the next up adopts them.",
    "env": 'Print what a shell or program needs: eval "$(cloche env)".',
    "run": "Run one command against Cloche.",
    "status": "Say where Cloche is and what runs now.",
    "jobs": "List training jobs; interrupt spot training.",
    "demo": "Run a case study against the Cloche that is up.",
    "clock": "Show Cloche's time; freeze, advance, set and resume it.",
    "pipelines": "List pipelines; draw one with the states of its steps.",
    "endpoints": "List endpoints.",
    "logs": "Print the log of a job or an endpoint.",
    "images": "List the images Cloche stands in for; build them.",
    "doctor": "Say how jobs are kept apart on this machine, and what could be better.",
    "explain": "Say where an operation is answered, or why it is not.",
    "accounts": "Add and list accounts; print their keys.",
    "identity-provider": "Give an OpenID Connect provider its keys.",
    "reset": "Stop everything and delete the data; or empty one account.",
}


_MODULES: Final = {"identity-provider": "identity_provider"}
"""Of commands whose names are no names of modules."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: Any = importlib.import_module(f"cloche.cli.{_MODULES.get(name, name)}").command
        return command  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cloche")
def main() -> None:
    """The AWS machine-learning stack under glass, on your own machine."""


if __name__ == "__main__":
    main()

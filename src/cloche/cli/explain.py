"""``cloche explain``: where an operation is answered, what is derived and what is written."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("operation")
@click.option("--service", help="botocore's name of the service, where several have an operation of that name.")
def command(operation: str, service: str | None) -> None:
    """Say where OPERATION (CreateTrainingJob, say) is answered, or why it is not."""
    from cloche.aws.resource.explanation import explain
    from cloche.server.dispatch import Dispatch

    dispatch = Dispatch()
    said = False
    for name in dispatch.names():
        offered = dispatch.offered(name)
        if offered is None or service not in (None, name):
            continue
        if found := offered.operations.get(operation):
            explanation = explain(found)
            click.echo(f"{operation} of {name}: {explanation.summary}")
            click.echo(f"  {_relative(explanation.file)}:{explanation.line}")
            if explanation.derived:
                click.echo(f"  derived from the model: {', '.join(explanation.derived)}")
            click.echo(f"  written: {', '.join(explanation.written) or 'nothing'}")
            said = True
        elif reason := offered.unsupported.get(operation):
            click.echo(f"{operation} of {name} is not offered: {reason}")
            said = True
    if not said:
        raise click.ClickException(f"no service that Cloche offers has an operation called {operation}")


def _relative(file: Path) -> str:
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)

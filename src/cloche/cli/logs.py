"""``cloche logs``: what a job or an endpoint has printed."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import click

from cloche.cli.client import Client, Refused
from cloche.cli.here import running_on
from cloche.cli.options import data_option

_KINDS: Final = ("TrainingJob", "ProcessingJob", "TransformJob")
"""Of jobs, in the order they are looked for by a name that several may have."""
_JOBS: Final = "/aws/sagemaker/{kind}s"
_ENDPOINTS: Final = "/aws/sagemaker/Endpoints"
_ENDED: Final = frozenset({"Completed", "Failed", "Stopped"})
_LOOK_SECONDS: Final = 0.5


@click.command()
@data_option
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended (an endpoint: until Ctrl+C).")
def command(data: Path, name: str, follow: bool) -> None:
    """Print the log of a job (training, processing, transform) or of an endpoint.

    Where a job ran on several hosts, each line names its own.
    """
    client = Client(*running_on(data))
    for kind in _KINDS:
        if _status(client, kind, name) is not None:
            _print(client, _JOBS.format(kind=kind), f"{name}/", follow, partial(_is_over, client, kind, name))
            return
    if _status(client, "Endpoint", name) is None:
        raise click.ClickException(f"there is no job and no endpoint called {name}")
    _print(client, f"{_ENDPOINTS}/{name}", None, follow, lambda: False)


def _status(client: Client, kind: str, name: str) -> str | None:
    try:
        return str(client.call("sagemaker", f"Describe{kind}", **{f"{kind}Name": name})[f"{kind}Status"])
    except Refused as refused:
        if refused.code in ("ValidationException", "ResourceNotFound"):
            return None
        raise


def _is_over(client: Client, kind: str, name: str) -> bool:
    return _status(client, kind, name) in (*_ENDED, None)


def _print(client: Client, group: str, prefix: str | None, follow: bool, is_over: Callable[[], bool]) -> None:
    tokens: dict[str, str] = {}
    while True:
        last_round = not follow or is_over()
        streams = _streams(client, group, prefix)
        for stream in streams:
            _print_new(client, group, stream, tokens, _host(stream, streams) if prefix is not None else "")
        if last_round:
            return
        time.sleep(_LOOK_SECONDS)


def _streams(client: Client, group: str, prefix: str | None) -> list[str]:
    try:
        answer = client.call("logs", "DescribeLogStreams", logGroupName=group, logStreamNamePrefix=prefix)
    except Refused as refused:
        if refused.code == "ResourceNotFoundException":
            return []
        raise
    return [stream["logStreamName"] for stream in answer["logStreams"]]


def _host(stream: str, streams: list[str]) -> str:
    """What goes before a line of ``stream``: its host (``job/algo-2-1795633211``), or what else it is of
    (``job/i-0a1b-1795633211/data-log``), where there are several."""
    names = {each: _short(each) for each in streams}
    return f"[{names[stream]}] " if len(set(names.values())) > 1 else ""


def _short(stream: str) -> str:
    last = stream.rpartition("/")[2]
    return last.rpartition("-")[0] if last.rpartition("-")[2].isdigit() else last


def _print_new(client: Client, group: str, stream: str, tokens: dict[str, str], before: str) -> None:
    while True:
        answer = client.call(
            "logs",
            "GetLogEvents",
            logGroupName=group,
            logStreamName=stream,
            startFromHead=True,
            nextToken=tokens.get(stream),
        )
        for event in answer["events"]:
            click.echo(before + event["message"])
        moved = tokens.get(stream) != answer["nextForwardToken"]
        tokens[stream] = answer["nextForwardToken"]
        if not moved or not answer["events"]:
            return

"""``cloche pipelines``: the list, and the graph of one with the states and times of an execution."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cloche.cli.client import Client, Members
from cloche.cli.here import running_on
from cloche.cli.listing import moment, print_table, span
from cloche.cli.options import data_option

if TYPE_CHECKING:
    from rich.tree import Tree

    from cloche.engines.pipelines import Graph

ENDED: Final = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
LOOK_SECONDS: Final = 0.5
_STYLES: Final = {"Succeeded": "green", "Failed": "red", "Stopped": "yellow"}
_SIGNS: Final = {"Succeeded": "✔", "Failed": "✘", "Stopped": "■", "": "○"}


@click.group()
def command() -> None:
    """List pipelines; draw one."""


@command.command("list")
@data_option
def list_(data: Path) -> None:
    """List pipelines, newest first."""
    client = Client(*running_on(data))
    found = client.pages("sagemaker", "ListPipelines", "PipelineSummaries", MaxResults=100)
    rows = [(one["PipelineName"], moment(one.get("LastExecutionTime")), moment(one["CreationTime"])) for one in found]
    print_table(("name", "last run", "created"), rows, "no pipelines yet")


@command.command()
@click.argument("name")
@click.option("--execution", default="", help="Its id or ARN; the latest unless told.")
@click.option("--follow", is_flag=True, help="Draw it again and again until it has ended.")
@data_option
def show(name: str, execution: str, follow: bool, data: Path) -> None:
    """Draw the graph of NAME with the states and times of one execution."""
    client = Client(*running_on(data))
    shown = _Shown(client, name, execution)
    if not sys.stdout.isatty():
        while follow and not shown.is_over:
            time.sleep(LOOK_SECONDS)
            shown.look()
        for line in shown.lines():
            click.echo("\t".join(line))
        return
    from rich.console import Console
    from rich.live import Live

    if not follow:
        Console().print(shown.tree())
        return
    with Live(shown.tree(), refresh_per_second=4) as live:
        while not shown.is_over:
            time.sleep(LOOK_SECONDS)
            shown.look()
            live.update(shown.tree())


class _Shown:
    """A pipeline's graph, and how far one execution of it is."""

    def __init__(self, client: Client, name: str, execution: str) -> None:
        from cloche.engines.pipelines import Pipelines

        self._client = client
        self._name = name
        pipeline = client.call("sagemaker", "DescribePipeline", PipelineName=name)
        self._arn = self._find(pipeline["PipelineArn"], execution)
        definition = pipeline["PipelineDefinition"]
        if self._arn:
            asked = {"PipelineExecutionArn": self._arn}
            definition = client.call("sagemaker", "DescribePipelineDefinitionForExecution", **asked)[
                "PipelineDefinition"
            ]
        self._graph: Graph = Pipelines.check(definition)
        self.execution: Members = {}
        self._steps: Mapping[str, Members] = {}
        self.look()

    def _find(self, pipeline: str, execution: str) -> str:
        if execution:
            return execution if execution.startswith("arn:") else f"{pipeline}/execution/{execution}"
        found = self._client.call("sagemaker", "ListPipelineExecutions", PipelineName=self._name, MaxResults=1)
        latest = found["PipelineExecutionSummaries"]
        return str(latest[0]["PipelineExecutionArn"]) if latest else ""

    def look(self) -> None:
        if not self._arn:
            return
        asked = {"PipelineExecutionArn": self._arn}
        self.execution = self._client.call("sagemaker", "DescribePipelineExecution", **asked)
        steps = self._client.pages(
            "sagemaker", "ListPipelineExecutionSteps", "PipelineExecutionSteps", MaxResults=100, **asked
        )
        self._steps = {step["StepName"]: step for step in steps}

    @property
    def is_over(self) -> bool:
        return not self._arn or self.execution["PipelineExecutionStatus"] in ENDED

    def lines(self) -> list[tuple[str, ...]]:
        """Tab-separated, for programs: step, type, status, how long, what it waits for."""
        found: list[tuple[str, ...]] = []
        for name in self._graph.order:
            step = self._steps.get(name, {})
            after = ",".join(sorted(self._graph.waits_for(name)))
            found.append((name, self._graph.step(name).type, step.get("StepStatus", ""), self._took(step), after))
        return found

    @staticmethod
    def _took(step: Mapping[str, Any]) -> str:
        if not step:
            return ""
        return span(step.get("EndTime", time.time()) - step["StartTime"])

    def tree(self) -> Tree:
        """Each step below the last of those it waits for; the others are named beside it."""
        from rich.text import Text
        from rich.tree import Tree

        status = self.execution.get("PipelineExecutionStatus", "not started yet")
        title = Text.assemble((self._name, "bold"), "  ", (status, _STYLES.get(status, "cyan")))
        if self._arn:
            title.append(f"  {self._arn.rpartition('/')[2]}", "dim")
        if reason := self.execution.get("FailureReason"):
            title.append(f"\n{reason}", "red")
        root = Tree(title, guide_style="dim")
        place = {name: number for number, name in enumerate(self._graph.order)}
        branches: dict[str, Tree] = {}
        for name in self._graph.order:
            waits = sorted(self._graph.waits_for(name), key=place.__getitem__)
            parent = branches[waits[-1]] if waits else root
            branches[name] = parent.add(self._label(name, waits[:-1]))
        return root

    def _label(self, name: str, others: list[str]) -> Any:
        from rich.text import Text

        step = self._steps.get(name, {})
        status = step.get("StepStatus", "")
        style = _STYLES.get(status, "cyan" if status else "dim")
        label = Text.assemble((f"{_SIGNS.get(status, '●')} {name}", style), f"  {self._graph.step(name).type}")
        for branch in self._graph.step(name).branches:
            label.append(f"  {'if' if branch.outcome else 'else'}", "dim")
        if step:
            how = "cached" if "CacheHitResult" in step else self._took(step)
            label.append(f"  {'reused' if 'SelectiveExecutionResult' in step else how}", "dim")
        if others:
            label.append(f"  also after {', '.join(others)}", "dim")
        if reason := step.get("FailureReason"):
            label.append(f"\n{reason}", "red")
        return label

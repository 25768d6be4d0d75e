"""Which step waits for which: the dependencies told, those that follow from references, and branches.

``walk`` says of every step how far it is, given what has begun, so that an execution that comes back after a crash goes
on where its rows say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from cloche.engines.pipelines.definition import COMPLETED, Definition, Step
from cloche.engines.pipelines.expressions import references_in

SUCCEEDED, FAILED, STOPPED = "Succeeded", "Failed", "Stopped"
ENDED = frozenset({SUCCEEDED, FAILED, STOPPED})
READY, SKIPPED, WAITING, ACTIVE = "Ready", "Skipped", "Waiting", "Active"
Begin = Callable[[str], str]
_TRIGGERED = {
    COMPLETED: frozenset({SUCCEEDED}),
    "Failed": frozenset({FAILED}),
    "Stopped": frozenset({STOPPED}),
    "Any": ENDED,
}


@dataclass(frozen=True)
class Graph:
    definition: Definition
    before: Mapping[str, Mapping[str, str]]
    """Step → the steps it waits for, with their triggers."""
    order: tuple[str, ...]
    """Every step after those it waits for; what lies on a cycle is left out."""
    caught: frozenset[tuple[str, str]]
    """(step, status): ends that another step waits for."""

    def step(self, name: str) -> Step:
        return self.definition.steps[name]

    @property
    def on_cycles(self) -> list[str]:
        placed = set(self.order)
        return [name for name in self.definition.steps if name not in placed]

    def walk(
        self, statuses: Mapping[str, str], taken: Mapping[str, bool], chosen: Collection[str], begin: Begin
    ) -> dict[str, str]:
        """How far every step is; ``begin`` is called with each that is ready and answers what became of it.

        ``statuses`` are those of steps that have begun, ``taken`` the outcomes of conditions; both may grow while
        steps begin, so that one walk goes through a whole chain of steps that end at once. What has not begun and is
        not ``chosen`` will not run, nor will a step that waits for one that will not.
        """
        found: dict[str, str] = {}
        for name in self.order:
            status = statuses.get(name)
            if status is not None:
                found[name] = status if status in ENDED else ACTIVE
                continue
            found[name] = self._not_begun(name, found, taken) if name in chosen else SKIPPED
            if found[name] == READY:
                found[name] = begin(name)
        return found

    def is_caught(self, name: str, status: str) -> bool:
        """Does another step wait for ``name`` to end so?"""
        return (name, status) in self.caught

    def needed_by(self, names: Iterable[str]) -> set[str]:
        """All that ``names`` wait for, directly or not, themselves left out."""
        found: set[str] = set()
        waiting = list(names)
        wanted = set(waiting)
        while waiting:
            for other in self.waits_for(waiting.pop()):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return found - wanted

    def waits_for(self, name: str) -> set[str]:
        return {*self.before[name], *(branch.condition for branch in self.step(name).branches)}

    def _not_begun(self, name: str, found: Mapping[str, str], taken: Mapping[str, bool]) -> str:
        waits = False
        for branch in self.step(name).branches:
            state = found[branch.condition]
            if state in (SKIPPED, FAILED, STOPPED):
                return SKIPPED
            if state != SUCCEEDED:
                waits = True
            elif taken[branch.condition] != branch.outcome:
                return SKIPPED
        for other, trigger in self.before[name].items():
            state = found[other]
            if state in ENDED or state == SKIPPED:
                if state not in _TRIGGERED[trigger]:
                    return SKIPPED
            else:
                waits = True
        return WAITING if waits else READY


def graph_of(definition: Definition) -> Graph:
    """Whatever is referred to must be there: ``checking`` sees to it first."""
    before = {name: _before(step, definition) for name, step in definition.steps.items()}
    triggers = {(other, trigger) for waits in before.values() for other, trigger in waits.items()}
    caught = {(other, status) for other, trigger in triggers for status in _TRIGGERED[trigger] - {SUCCEEDED}}
    return Graph(definition, before, tuple(_ordered(definition, before)), frozenset(caught))


def _before(step: Step, definition: Definition) -> dict[str, str]:
    found = {other: trigger for other, trigger in step.depends_on.items() if other in definition.steps}
    for reference in references_in([step.arguments, step.target]):
        if reference.kind == "Steps" and reference.name in definition.steps:
            found.setdefault(reference.name, COMPLETED)
    return found


def _ordered(definition: Definition, before: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    waits: dict[str, int] = {}
    after: dict[str, list[str]] = {name: [] for name in definition.steps}
    for name, step in definition.steps.items():
        others = {*before[name], *(branch.condition for branch in step.branches)}  # as Graph.waits_for
        waits[name] = len(others)
        for other in others:
            after[other].append(name)
    free = [name for name in reversed(list(definition.steps)) if not waits[name]]
    while free:
        name = free.pop()
        yield name
        for other in reversed(after[name]):
            waits[other] -= 1
            if not waits[other]:
                free.append(other)

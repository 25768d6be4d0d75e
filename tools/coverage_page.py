"""Write docs/reference/coverage.md: every operation of every offered service, and where it is answered or why not.

Computed from the code and botocore's models. Files and names stand in it, not line numbers, so that an edit
elsewhere in a file does not make the page old; ``cloche explain OPERATION`` tells the line.

    python tools/coverage_page.py           write the page
    python tools/coverage_page.py --check   say whether it is up to date
"""

from __future__ import annotations

import sys
from collections import defaultdict

from reference_page import ROOT, main

from cloche.aws.model.load import service_model
from cloche.aws.operation import Operation
from cloche.aws.resource import explain
from cloche.server.dispatch import Dispatch, Offered


def page() -> str:
    dispatch = Dispatch()
    services = [found for name in dispatch.names() if (found := dispatch.offered(name)) is not None]
    parts = [
        "# What Cloche answers",
        "",
        "Computed by `tools/coverage_page.py` from the code and botocore's models; do not edit. An operation that is "
        "not answered is refused by name, with the reason given here.",
        "",
        "| service | answered | of |",
        "| --- | ---: | ---: |",
    ]
    for found in services:
        total = len(service_model(found.service.name).operation_names)
        parts.append(f"| [{found.service.name}](#{found.service.name}) | {len(found.operations)} | {total} |")
    for found in services:
        parts += ["", *_service(found)]
    return "\n".join(parts) + "\n"


def _service(found: Offered) -> list[str]:
    lines = [f"## {found.service.name}", "", "| operation | answered by |", "| --- | --- |"]
    lines += [f"| {name} | {_place(held)} |" for name, held in sorted(found.operations.items())]
    reasons: dict[str, list[str]] = defaultdict(list)
    for name, reason in found.unsupported.items():
        reasons[reason].append(name)
    if reasons:
        lines += ["", "| refused | because |", "| --- | --- |"]
        lines += [f"| {', '.join(sorted(names))} | {reason} |" for reason, names in sorted(reasons.items())]
    return lines


def _place(operation: Operation) -> str:
    told = explain(operation)
    owner = getattr(operation.handler, "__self__", None)
    name = type(owner).__name__ if owner is not None else told.written[0].partition(" ")[0]
    path = told.file.resolve().relative_to(ROOT).as_posix()
    return f"[{path.removeprefix('src/cloche/services/')}](../../{path}) `{name}`"


if __name__ == "__main__":
    sys.exit(main("coverage.md", page(), "coverage_page.py"))

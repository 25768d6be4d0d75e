"""Filters as SQL say the same as filters in words: random components, random expressions, judged one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from cloche.server.wiring import MIGRATIONS
from cloche.services.sagemaker.search.conditions import where
from cloche.services.sagemaker.search.resources import resources
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

TEXTS = ["", "a", "A", "abc", "0.5", "1", "1e3", "-2", "b,c", "%", "_", "'", "é", "$x", "true"]
NUMBERS = [0.0, -0.0, 0.5, 1.0, 1000.0, -2.0, 1e-9, 1e300]
KEYS = ["a", "b.c", "$d", "e f", "0"]
COMPARED = {
    "GreaterThan": lambda a, b: a > b,
    "GreaterThanOrEqualTo": lambda a, b: a >= b,
    "LessThan": lambda a, b: a < b,
    "LessThanOrEqualTo": lambda a, b: a <= b,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, list[dict[str, Any]]]]:
    dice = random.Random(5)
    database = Database(tmp_path_factory.mktemp("agree") / "cloche.db")
    migrate(database, MIGRATIONS)
    documents: list[dict[str, Any]] = []

    def fill(tx: Any) -> None:
        for number in range(150):
            arn = f"arn:aws:sagemaker:us-east-1:123456789012:experiment-trial-component/c{number}"
            keys = dice.sample(KEYS, dice.randrange(len(KEYS) + 1))
            parameters = {key: parameter(dice) for key in keys}
            request = {"TrialComponentName": f"c{number}", "Parameters": parameters}
            if dice.random() < 0.5:
                request["DisplayName"] = dice.choice(TEXTS)
            records.insert(
                tx,
                account="a",
                region="r",
                kind="sagemaker/TrialComponent",
                name=f"c{number}",
                arn=arn,
                at=1.0,
                request=request,
            )
            pairs = [(key, dice.choice(TEXTS)) for key in ("t", "u") if dice.random() < 0.5]
            tags.put(tx, arn, pairs)
            documents.append({**request, "Tags": dict(pairs), "Name": f"c{number}"})

    database.write(fill)
    yield database, documents
    database.close()


def parameter(dice: random.Random) -> dict[str, Any]:
    return {"NumberValue": dice.choice(NUMBERS)} if dice.random() < 0.5 else {"StringValue": dice.choice(TEXTS)}


def value(document: dict[str, Any], name: str) -> str | float | None:
    if name == "DisplayName":
        return str(document.get("DisplayName", document["Name"]))
    head, _, key = name.partition(".")
    if head == "Tags":
        tag: str | None = document["Tags"].get(key)
        return tag
    parameter = document["Parameters"].get(key)
    return None if parameter is None else next(iter(parameter.values()))


def number(of: str | float | None) -> float | None:
    if isinstance(of, str):
        try:
            return float(of)
        except ValueError:
            return None
    return of


def holds(document: dict[str, Any], asked: dict[str, str]) -> bool:
    held, operator, wanted = value(document, asked["Name"]), asked["Operator"], asked.get("Value", "")
    if operator == "Exists":
        return held is not None
    if operator == "NotExists":
        return held is None
    if operator == "NotEquals":
        return not holds(document, {**asked, "Operator": "Equals"})
    if held is None:
        return False
    if operator == "Equals":
        if asked["Name"].startswith("Parameters") and number(wanted) is not None:
            return held == wanted or number(held) == number(wanted)
        return held == wanted
    if operator == "Contains":
        return wanted in str(held)
    if operator == "In":
        return held in wanted.split(",")
    mine, theirs = number(held), number(wanted)
    assert theirs is not None
    return mine is not None and bool(COMPARED[operator](mine, theirs))


def judged(document: dict[str, Any], expression: dict[str, Any]) -> bool:
    parts = [holds(document, each) for each in expression.get("Filters", ())]
    parts += [judged(document, each) for each in expression.get("SubExpressions", ())]
    return any(parts) if expression.get("Operator") == "Or" else all(parts)


def one(dice: random.Random) -> dict[str, str]:
    name = dice.choice(["DisplayName", "Tags.t", "Tags.u", *(f"Parameters.{key}" for key in KEYS)])
    operators = ["Equals", "NotEquals", "Exists", "NotExists"]
    if not name.startswith("Parameters"):
        operators += ["Contains", "In"]
    asked = {"Name": name, "Operator": dice.choice(operators)}
    if asked["Operator"] == "In":
        asked["Value"] = ",".join(dice.sample(TEXTS[1:], 3))
    elif asked["Operator"] in ("Equals", "NotEquals", "Contains"):
        asked["Value"] = dice.choice(TEXTS[1:])
    if name.startswith("Parameters") and dice.random() < 0.5:
        asked = {"Name": name, "Operator": dice.choice(list(COMPARED)), "Value": dice.choice(["0.5", "1", "1e3", "-2"])}
    return asked


def expression(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    made: dict[str, Any] = {"Filters": [one(dice) for _ in range(dice.randrange(1, 3))]}
    if depth < 3 and dice.random() < 0.5:
        made["SubExpressions"] = [expression(dice, depth + 1) for _ in range(dice.randrange(1, 3))]
    if dice.random() < 0.7:
        made["Operator"] = dice.choice(["And", "Or"])
    return made


def test_sql_and_words_agree(world: tuple[Database, list[dict[str, Any]]]) -> None:
    database, documents = world
    resolver = resources()["ExperimentTrialComponent"].resolver
    some = 0
    for seed in range(600):
        asked = expression(random.Random(seed))
        condition, arguments = where(resolver, asked)
        rows = database.reader.execute(f"SELECT name FROM records WHERE {condition}", arguments)
        found = {row[0] for row in rows}
        expected = {document["Name"] for document in documents if judged(document, asked)}
        assert found == expected, (seed, asked)
        some += 0 < len(found) < len(documents)
    assert some > 200  # the expressions do tell components apart

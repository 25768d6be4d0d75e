"""What a model said and what really was, row by row, from whatever form the job's data has.

A table (CSV, JSON, Parquet) has columns, found by name or, ``"0"``, by place. Captured records have the model's answer
in their output, and the truth where the merge job put it (``groundTruthData``): attributes are places in a CSV body,
JMESPath expressions over a JSON one (docs.aws.amazon.com/sagemaker/latest/APIReference/API_EndpointInput.html), and
names of columns with a preprocessor script. Rows in which something is missing are left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import jmespath
from jmespath.exceptions import JMESPathError

from cloche_jobs.contract.failure import UserError
from cloche_jobs.monitor import captured, scripts
from cloche_jobs.monitor.captured import Payload, Record, csv_cells
from cloche_jobs.monitor.data_sets import table_blocks
from cloche_jobs.monitor.files import files_of
from cloche_jobs.monitor.rows import cell_of
from cloche_jobs.monitor.settings import Settings

TRUTH, INFERENCE, PROBABILITY = "ground_truth_attribute", "inference_attribute", "probability_attribute"


@dataclass(slots=True)
class Answers:
    """Texts, as many in each list as there are rows; ``None`` where the request names no such attribute."""

    truth: list[str]
    inference: list[str] | None
    probability: list[str] | None
    left_out: int = 0

    def add(self, cells: Sequence[str | None]) -> None:
        if any(cell is None or cell == "" for cell in cells):
            self.left_out += 1
            return
        held = [column for column in (self.truth, self.inference, self.probability) if column is not None]
        for column, cell in zip(held, cells, strict=True):
            assert cell is not None
            column.append(cell)


def read_answers(settings: Settings) -> Answers:
    """Raises ``UserError`` where an attribute is missing, or nothing is left."""
    wanted = [name for name in (INFERENCE, PROBABILITY) if settings.get(name)]
    if not wanted:
        raise UserError(f"{INFERENCE} or {PROBABILITY} is required")
    answers = Answers([], [] if INFERENCE in wanted else None, [] if PROBABILITY in wanted else None)
    for cells in _of_records(settings, wanted) if settings.format.kind.is_captured else _of_table(settings, wanted):
        answers.add(cells)
    if not answers.truth:
        raise UserError(
            "The dataset is empty: no row has both a ground truth and an inference"
            + (f"; in {answers.left_out} something is missing" if answers.left_out else "")
        )
    return answers


def _of_table(settings: Settings, wanted: Sequence[str]) -> Iterator[Sequence[str | None]]:
    attributes = [_required(settings, TRUTH), *(_required(settings, name) for name in wanted)]
    for block in table_blocks(settings):
        columns = [block.column(_place(attribute, block.schema.names)).to_pylist() for attribute in attributes]
        yield from ([cell_of(cell) for cell in row] for row in zip(*columns, strict=True))


def _of_records(settings: Settings, wanted: Sequence[str]) -> Iterator[Sequence[str | None]]:
    script = settings.path("record_preprocessor_script")
    rows_of = scripts.preprocessor(script) if script is not None else None
    truth_of = _reader(settings.get(TRUTH) or "0", "the ground truth")
    readers = [_reader(_required(settings, name), "the endpoint's output") for name in wanted]
    for record in captured.records(files_of(settings.source), settings):
        if rows_of is None:
            columns = [truth_of(record.truth, record), *(reader(record.output, record) for reader in readers)]
            yield from _zipped(columns, record)
            continue
        for row in rows_of(record):
            named = settings.get(TRUTH)
            truths = [row[named]] if named and named in row else truth_of(record.truth, record)
            cells = [row.get(_required(settings, name)) for name in wanted]
            yield from ([truth, *cells] for truth in truths)


def _zipped(columns: Sequence[Sequence[str | None]], record: Record) -> Iterator[Sequence[str | None]]:
    """One row, or as many as a record of several predictions has truths."""
    sizes = {len(column) for column in columns}
    if len(sizes) > 1:
        raise UserError(f"{record.where} has {columns and len(columns[0])} ground truths for {max(sizes)} inferences")
    yield from zip(*columns, strict=True)


def _reader(attribute: str, what: str) -> Callable[[Payload | None, Record], Sequence[str | None]]:
    def read(payload: Payload | None, record: Record) -> Sequence[str | None]:
        if payload is None:
            return [None]
        if payload.encoding == "JSON":
            return _searched(attribute, payload, record, what)
        cells = csv_cells(payload.data)
        if "\n" in payload.data.strip("\r\n"):
            raise UserError(f"{what} at {record.where} has several lines of CSV: one prediction a record is supported")
        place = int(attribute) if attribute.isdecimal() else None
        if place is None or place >= len(cells):
            raise UserError(
                f"{what} at {record.where} has no attribute {attribute[:100]!r}: of CSV it is the number of a column, "
                f"0 to {len(cells) - 1}"
            )
        return [cells[place].strip() or None]

    return read


def _searched(attribute: str, payload: Payload, record: Record, what: str) -> Sequence[str | None]:
    try:
        document = json.loads(payload.data)
        if attribute.isdecimal() and not isinstance(document, dict):
            found = document[int(attribute)] if isinstance(document, list) else document
        else:
            found = jmespath.search(attribute, document)
    except (ValueError, IndexError, JMESPathError) as error:
        raise UserError(f"{what} at {record.where} has no attribute {attribute[:100]!r}: {error}") from error
    return [cell_of(each) for each in found] if isinstance(found, list) else [cell_of(found)]


def _required(settings: Settings, name: str) -> str:
    value = settings.get(name)
    if value is None:
        raise UserError(f"{name} is required")
    return value


def _place(attribute: str, names: Sequence[str]) -> int:
    if attribute in names:
        return names.index(attribute)
    if attribute.isdecimal() and int(attribute) < len(names):
        return int(attribute)
    raise UserError(f"the dataset has no column {attribute[:100]!r}; it has {', '.join(names[:50])}")

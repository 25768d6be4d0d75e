"""What becomes of a payload and its answer: filtered before, joined and filtered after, an id behind it.

    input ──InputFilter──► model ──► answer ──join with the input──► ──OutputFilter──► ──id and time──► output

Where a job asks for none of it, bytes go in and come out as they are. A join of lines without a filter sets each line
of the input before its own of the answer, without looking into either.
Sources: docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html,
.../APIReference/API_DataProcessing.html and .../dg/model-monitor-data-capture-batch.html (id and time of a record).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from cloche_jobs.transform.batch import Orders, Payload, Refused
from cloche_jobs.transform.records import CSV, LINES, NAMES, READERS, WRITERS, Malformed, Rows, form_of, lines_of
from cloche_jobs.transform.selecting import NotThere, Path, Step

OUTPUT, INPUT = "SageMakerOutput", "SageMakerInput"
ID, TIME = "SageMakerInferenceId", "SageMakerInferenceTime"


class Joining:
    """What one job does with every payload. Several threads may use it."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._before, self._after = Path(orders.input_filter), Path(orders.output_filter)
        self._form = form_of(orders.content_type)
        self.is_lines = orders.split == "Line" or self._form in (CSV, LINES)
        self._is_plain = not orders.join and self._after.is_whole and orders.inference_time is None
        """Answers are written as they come."""
        self.needs_body = not (self._before.is_whole and self._is_plain)
        """Payloads are looked into: they have to be there whole."""

    def question(self, payload: Payload) -> Payload:
        """What the model is asked. Raises ``Refused``."""
        if self._before.is_whole:
            return payload
        assert self._form is not None
        selected = self._filtered(self._before, self._rows(payload, self._form), self._form, payload, "input")
        return Payload("\n".join(WRITERS[self._form](selected)).encode(), payload.first)

    def finished(self, payload: Payload, answer: bytes, content_type: str) -> bytes:
        """What is written for it. Raises ``Refused``."""
        orders = self._orders
        form = self._answer_form(content_type)
        if self._is_plain:
            return self._ended(answer)
        if form == CSV and (form_of(content_type) or CSV) != CSV:
            text = f"Failed to parse output from the algorithm as CSV: it is {content_type}"
            raise Refused("AlgorithmError", text, self.where(payload, 0))
        if self._after.is_whole and form == CSV:
            return self._lines_joined(payload, answer)
        found = self._read_answer(answer, form, payload)
        if orders.join:
            given = self._rows(payload, self._form)
            self._same_count(len(given), len(found), payload)
            join = _joined_rows if form == CSV else _joined_values
            found = [join(one, other) for one, other in zip(given, found, strict=True)]
        found = self._filtered(self._after, found, form, payload, "output")
        if orders.inference_time is not None:
            mark = _marked_row if form == CSV else _marked_value
            marked = zip(found, _marks(len(found)), strict=True)
            found = [mark(row, each, orders.inference_time) for row, each in marked]
        return self._ended("\n".join(WRITERS[form](found)).encode() if found else b"")

    def _answer_form(self, content_type: str) -> str:
        """Joined with the input an answer is of the input's form; else of the form that was asked for or is told."""
        form = self._form if self._orders.join else form_of(self._orders.accept) or form_of(content_type) or self._form
        return form or CSV

    def _lines_joined(self, payload: Payload, answer: bytes) -> bytes:
        """CSV without an output filter: lines side by side."""
        columns: list[Iterable[bytes]] = []
        lines = lines_of(answer)
        if self._orders.join:
            given = lines_of(payload.body)
            self._same_count(len(given), len(lines), payload)
            columns.append(given)
        columns.append(lines)
        if self._orders.inference_time is not None:
            columns.append([mark.encode() for mark in _marks(len(lines))])
            columns.append([self._orders.inference_time.encode()] * len(lines))
        return self._ended(b"\n".join(map(b",".join, zip(*columns, strict=True))))

    def _ended(self, data: bytes) -> bytes:
        """Assembled by line, an answer ends with a newline: its own or ours."""
        return data + b"\n" if self._orders.assemble == "Line" and data and not data.endswith(b"\n") else data

    def _rows(self, payload: Payload, form: str | None) -> Rows:
        assert form is not None
        try:
            return READERS[form](payload.body, self.is_lines)
        except Malformed as error:
            where = self.where(payload, error.line)
            raise Refused("ClientError", f"Failed to parse input as {NAMES[form]}: {error.message}", where) from error

    def _read_answer(self, answer: bytes, form: str, payload: Payload) -> Rows:
        try:
            return READERS[form](answer, self.is_lines and b"\n" in payload.body.strip(b"\r\n"))
        except Malformed as error:
            message = f"Failed to parse output from the algorithm as {NAMES[form]}: {error.message}"
            raise Refused("AlgorithmError", message, self.where(payload, error.line)) from error

    def _filtered(self, path: Path, rows: Rows, form: str, payload: Payload, what: str) -> Rows:
        if path.is_whole:
            return rows
        found = []
        steps: dict[int, Step] = {}
        for number, row in enumerate(rows):
            try:
                if form != CSV:
                    found.append(path.of(row))
                    continue
                step = steps.get(len(row))
                if step is None:
                    step = steps[len(row)] = path.of_row(len(row))
                found.append(step(row))
            except NotThere as error:
                message = f"Failed to apply the {what} filter {path.text}: {error}"
                raise Refused("ClientError", message, self.where(payload, number)) from error
        return found

    def _same_count(self, given: int, found: int, payload: Payload) -> None:
        if given != found:
            raise Refused(
                "AlgorithmError",
                f"Failed to join the output with the input: the model answered {found} lines to {given} records",
                self.where(payload, 0),
            )

    def where(self, payload: Payload, record: int) -> str:
        """Where in the file the payload's ``record``-th record is, counted from 0; empty where a file is one record."""
        if self._orders.split in ("RecordIO", "TFRecord"):
            return f"record {payload.first + record}"
        return f"line {payload.first + _line_of(payload.body, record)}" if self.is_lines else ""


def _marks(count: int) -> Iterator[str]:
    """So many random UUIDs; asked for together, which is three times as quick."""
    digits = os.urandom(16 * count).hex()
    for start in range(0, 32 * count, 32):
        each = digits[start : start + 32]
        variant = "89ab"[int(each[16], 16) & 3]
        yield f"{each[:8]}-{each[8:12]}-4{each[13:16]}-{variant}{each[17:20]}-{each[20:]}"


def _line_of(body: bytes, record: int) -> int:
    """The line, counted from 0, that the record is on: lines that are empty are none."""
    for number, line in enumerate(body.split(b"\n")):
        if line.removesuffix(b"\r"):
            if record <= 0:
                return number
            record -= 1
    return 0


def _joined_rows(given: Any, found: Any) -> Any:
    return given + found


def _joined_values(given: Any, found: Any) -> Any:
    """In the order of its keys, as AWS writes it: ``{"SageMakerOutput":[…],"content":[…],"id":1}`` (what OpenSearch's
    page on asynchronous batch ingestion reads from a batch transform job)."""
    joined = {**given, OUTPUT: found} if isinstance(given, dict) else {INPUT: given, OUTPUT: found}
    return dict(sorted(joined.items()))


def _marked_row(row: Any, mark: str, time: str) -> Any:
    return [row, mark, time] if isinstance(row, str) else [*row, mark, time]


def _marked_value(value: Any, mark: str, time: str) -> Any:
    held = value if isinstance(value, dict) else {OUTPUT: value}
    return {**held, ID: mark, TIME: time}

"""What type each cell has, told from its text, and the numbers among them.

Deequ's rule (``StatefulDataType`` of awslabs/deequ 2): a cell's text is matched against fractional, integral and
boolean in turn; what matches none is a string. So ``3.0`` is fractional, ``NaN`` a string, and each cell has a type of
its own whatever its column's. Until 2021 a number with an exponent was a string; since then it is fractional.

A column of plain numbers is told by its bytes alone: where they are digits, signs and dots only and all of them read
as numbers, there are as many fractional cells as dots. Else the distinct texts are matched, once each.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Array = Any
FRACTIONAL = r"^(-|\+)? ?\d+((\.\d+)|((?:\.\d+)?[Ee][-+]?\d+))$"
INTEGRAL = r"^(-|\+)? ?\d+$"
BOOLEAN = r"^(true|false)$"
_FIRST, _DOT, _LAST = np.uint8(ord("+")), np.uint8(ord(".")), np.uint8(ord("9"))
"""Plain numbers are of the characters from the first to the last; of these ``,`` and ``/`` alone are in none."""


@dataclass(slots=True)
class Kinds:
    """How many cells have which type."""

    missing: int = 0
    fractional: int = 0
    integral: int = 0
    boolean: int = 0
    string: int = 0

    def add(self, other: Kinds) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def present(self) -> int:
        return self.fractional + self.integral + self.boolean + self.string

    @property
    def is_number(self) -> bool:
        """Nothing but numbers so far."""
        return not self.boolean and not self.string

    def type(self) -> str:
        """``inferred_type``. A column of booleans is a String: the documents know no other name for it
        (docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html)."""
        if not self.present:
            return "Unknown"
        if not self.is_number:
            return "String"
        return "Fractional" if self.fractional else "Integral"

    def share(self, type: str) -> float:
        """Of the cells that are there, those that have that type themselves: 1 where there are none."""
        of_type = {"Fractional": self.fractional, "Integral": self.integral, "String": self.string + self.boolean}
        return of_type.get(type, 0) / self.present if self.present else 1.0


@dataclass(slots=True)
class Cells:
    """One column's part of a block."""

    kinds: Kinds
    numbers: Array = field(default_factory=lambda: np.empty(0))
    """Those of the numeric cells, in their order."""
    texts: Any = None
    """The distinct texts, and how often each occurs; ``None`` where they were not counted."""
    counts: Array = None


def read(column: Any, *, count_texts: bool) -> Cells:
    """``column`` is an Arrow array of strings, booleans or numbers."""
    kind = column.type
    if pa.types.is_integer(kind):
        return _integers(column, count_texts)
    if pa.types.is_floating(kind):
        return _doubles(column, count_texts)
    if not pa.types.is_string(kind):
        column = column.cast(pa.string())
    plain = _plain_numbers(column)
    if plain is None:
        return _texts(column)
    return _with_texts(plain, column) if count_texts else plain


def _plain_numbers(column: Any) -> Cells | None:
    """``None`` where something else than plain numbers is there."""
    held = column.drop_null() if column.null_count else column
    if not len(held):
        return Cells(Kinds(missing=column.null_count))
    _, ends, data = held.buffers()
    bounds = np.frombuffer(ends, dtype=np.int32)[held.offset : held.offset + len(held) + 1]
    begins, last = bounds[:-1], bounds[1:] - 1
    if (last < begins).any():
        return None
    characters = np.frombuffer(data, dtype=np.uint8)[: bounds[-1]]
    own = characters[bounds[0] :]
    if (own - _FIRST).max() > _LAST - _FIRST or not _is_plain(characters, begins, last):
        return None
    try:
        numbers = held.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    dots = int(np.count_nonzero(own == _DOT))
    return Cells(Kinds(column.null_count, dots, len(held) - dots), numbers)


def _is_plain(characters: Array, begins: Array, last: Array) -> bool:
    """No dot is the first or the last of a cell, nor the first after a sign."""
    first = characters[begins]
    signed = begins[first < _DOT]
    if (first == _DOT).any() or (characters[last] == _DOT).any():
        return False
    return not len(signed) or not (characters[np.minimum(signed + 1, len(characters) - 1)] == _DOT).any()


def _with_texts(cells: Cells, column: Any) -> Cells:
    counted = pc.value_counts(column.drop_null())
    cells.texts, cells.counts = counted.field("values"), counted.field("counts").to_numpy()
    return cells


def _texts(column: Any) -> Cells:
    encoded = column.dictionary_encode()
    texts, places = encoded.dictionary, encoded.indices.drop_null().to_numpy()
    fractional, integral, boolean = (
        pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
        for pattern in (FRACTIONAL, INTEGRAL, BOOLEAN)
    )
    counts = np.bincount(places, minlength=len(texts))
    kinds = Kinds(column.null_count, *(int(counts[each].sum()) for each in (fractional, integral, boolean)))
    kinds.string = len(places) - kinds.present
    numbers = np.empty(0)
    if kinds.is_number and kinds.present:
        values = np.array([float(text.replace(" ", "")) for text in texts.to_pylist()])
        numbers = values[places]
    return Cells(kinds, numbers, texts, counts)


def _integers(column: Any, count_texts: bool) -> Cells:
    held = column.drop_null()
    cells = Cells(Kinds(column.null_count, integral=len(held)), held.cast(pa.float64(), safe=False).to_numpy())
    return _with_texts(cells, column.cast(pa.string())) if count_texts else cells


def _doubles(column: Any, count_texts: bool) -> Cells:
    """Doubles are always fractional, as Spark prints them (``3.0``); NaN and infinities are the words they print as."""
    held = column.drop_null().cast(pa.float64()).to_numpy()
    finite = np.isfinite(held)
    kinds = Kinds(column.null_count, fractional=int(finite.sum()))
    kinds.string = len(held) - kinds.present
    cells = Cells(kinds, held[finite])
    return _with_texts(cells, column.cast(pa.string())) if count_texts or kinds.string else cells

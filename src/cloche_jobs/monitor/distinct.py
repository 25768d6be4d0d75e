"""Which values a column has, and how many different ones.

Few values are kept with their counts. Beyond ``VALUES_MAX`` of them only a sketch is: the 2,048 least of all values'
64-bit hashes (Bar-Yossef et al. 2002, "Counting distinct elements in a data stream"; Beyer et al. 2007). The number of
values is (k - 1) / (the k-th least hash, as a share of all), with a standard error of 1/sqrt(k - 2), 2.2 %; up to 2,048
values it is exact. Two sketches add up to that of both. A value is hashed as a number where it is one.

Deequ keeps HyperLogLog registers with a standard error of 5 % (``ApproxCountDistinct`` of awslabs/deequ) and
histograms of columns with up to 120 values (``ColumnProfiler.DEFAULT_CARDINALITY_THRESHOLD``).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloche_jobs.monitor.cells import FRACTIONAL, INTEGRAL

Array = Any
VALUES_MAX = 120
HASHES_MAX = 2048
LONG = 1024
"""Bytes of a text from which on it is hashed by itself, so that working memory is bounded."""
_AT_ONCE = 8192
_WORDS = 1 << 64
_POWERS = np.cumprod(np.full(LONG + 1, 0x9E3779B97F4A7C15, dtype=np.uint64))


class Values:
    """``counts`` by text, or ``None`` once there were more than ``VALUES_MAX``."""

    def __init__(self) -> None:
        self.counts: dict[str, int] | None = {}
        self._hashes = np.empty(0, dtype=np.uint64)

    def add_texts(self, texts: Any, counts: Array) -> None:
        """``texts`` are distinct, as an Arrow array."""
        if self.counts is not None and len(texts) + len(self.counts) <= 2 * VALUES_MAX:
            for text, count in zip(texts.to_pylist(), counts.tolist(), strict=True):
                self.counts[text] = self.counts.get(text, 0) + count
            if len(self.counts) <= VALUES_MAX:
                return
        self._overflow()
        self._keep(_hashes_of(texts))

    def add_numbers(self, numbers: Array) -> None:
        """Of a column that has too many values to be counted."""
        if not len(numbers):
            return
        self._overflow()
        self._keep(_mixed(numbers.view(np.uint64)))

    def merge(self, other: Values) -> None:
        if self.counts is not None and other.counts is not None:
            for text, count in other.counts.items():
                self.counts[text] = self.counts.get(text, 0) + count
            if len(self.counts) > VALUES_MAX:
                self._overflow()
            return
        self._overflow()
        if other.counts is not None:
            self._keep(_hashes_of(pa.array(list(other.counts), pa.string())))
        self._keep(other._hashes)

    def distinct(self) -> int:
        if self.counts is not None:
            return len(self.counts)
        if len(self._hashes) < HASHES_MAX:
            return len(self._hashes)
        return round((HASHES_MAX - 1) / ((int(self._hashes[-1]) + 1) / _WORDS))

    def _overflow(self) -> None:
        if self.counts:
            self._keep(_hashes_of(pa.array(list(self.counts), pa.string())))
        self.counts = None

    def _keep(self, hashes: Array) -> None:
        if len(self._hashes) == HASHES_MAX:
            hashes = hashes[hashes < self._hashes[-1]]
        if len(hashes):
            merged = np.sort(np.concatenate([self._hashes, hashes]))
            self._hashes = merged[np.append(True, merged[1:] != merged[:-1])][:HASHES_MAX].copy()


def _mixed(words: Array) -> Array:
    """Each bit of a word depends on all of its bits: the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    mixed = words ^ (words >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _hashes_of(texts: Any) -> Array:
    """Of an Arrow array of strings."""
    texts = texts.cast(pa.large_string())
    is_number = pc.match_substring_regex(texts, f"({FRACTIONAL})|({INTEGRAL})")
    is_long = pc.greater(pc.binary_length(texts), LONG)
    numbers = np.array([float(text.replace(" ", "")) for text in texts.filter(is_number).to_pylist()])
    words = texts.filter(pc.invert(pc.or_(is_number, is_long)))
    long = texts.filter(pc.and_(is_long, pc.invert(is_number))).to_pylist()
    digests = [int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") for text in long]
    pieces = [_hashes_of_words(words[at : at + _AT_ONCE]) for at in range(0, len(words), _AT_ONCE)]
    return np.concatenate([_mixed(numbers.view(np.uint64)), np.array(digests, dtype=np.uint64), *pieces])


def _hashes_of_words(words: Any) -> Array:
    """Of short texts, all at once: a polynomial over the bytes of each, modulo 2**64."""
    _, ends, data = words.buffers()
    bounds = np.frombuffer(ends, dtype=np.int64)[words.offset : words.offset + len(words) + 1]
    sizes = np.diff(bounds)
    places = np.arange(bounds[0], bounds[-1]) - np.repeat(bounds[:-1], sizes)
    sums = np.zeros(len(words), dtype=np.uint64)
    if len(places):
        characters = np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]].astype(np.uint64) + np.uint64(1)
        filled = sizes > 0
        sums[filled] = np.add.reduceat(characters * _POWERS[places], bounds[:-1][filled] - bounds[0])
    return _mixed(sums ^ (sizes.astype(np.uint64) << np.uint64(48)))

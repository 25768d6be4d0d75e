"""Documents come back as they went in."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from cloche.storage.metadata.documents import from_text, to_text

keys = st.sampled_from(["a", "$at", "$bytes", "$$", "$", "b$"]) | st.text(max_size=4)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)
leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.binary() | moments
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


@given(st.dictionaries(keys, values, max_size=4))
def test_round_trip(document: dict[str, object]) -> None:
    assert from_text(to_text(document)) == document

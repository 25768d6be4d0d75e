"""The lifecycle of an export is whole."""

from __future__ import annotations

from cloche.engines.model_cards.machine import LIFECYCLE, status_of


def test_the_table_has_no_flaws() -> None:
    assert LIFECYCLE.flaws() == []


def test_states_are_told_in_the_words_of_the_api() -> None:
    assert {status_of(state) for state in LIFECYCLE.active} == {"InProgress"}
    assert {status_of(state) for state in LIFECYCLE.terminal} == {"Completed", "Failed"}

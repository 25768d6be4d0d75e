"""Logs read: order, pages and their tokens, followers, searches."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored_logs import NOW_MS, NUMBERS, OWNER, follow, messages

from cloche.storage.logs import LogStore, Question, Sieve, files, finding, frames


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=8), min_size=1, max_size=8),
    limit=st.integers(1, 9),
)
def test_pages_forwards_and_backwards_are_the_whole(store: LogStore, batches: list[list[int]], limit: int) -> None:
    name = f"s{next(NUMBERS)}"
    ordinal = 0
    sent: list[tuple[int, int]] = []
    for batch in batches:
        store.append(*OWNER, "/g", name, [(at, str(at)) for at in batch])
        sent += [(at, ordinal + place) for place, at in enumerate(batch)]
        ordinal += len(batch)
    whole = sorted(sent)
    for forwards in (True, False):
        seen: list[tuple[int, int]] = []
        at = None
        while True:
            page = store.read(*OWNER, "/g", name, at=at, from_head=forwards, limit=limit)
            if not page.events:
                # the end: the place stays where it was
                assert (page.last if forwards else page.first) == at
                break
            part = [(event.timestamp_ms, event.ordinal) for event in page.events]
            seen = seen + part if forwards else part + seen
            at = page.last if forwards else page.first
        assert seen == whole


def test_a_forward_place_finds_what_comes_later(store: LogStore) -> None:
    store.create_group(*OWNER, "/g")
    store.create_stream(*OWNER, "/g", "s")
    empty = store.read(*OWNER, "/g", "s")  # from the tail of nothing
    store.append(*OWNER, "/g", "s", [(NOW_MS, "one")])
    page = store.read(*OWNER, "/g", "s", at=empty.last, from_head=True)
    assert [event.message for event in page.events] == ["one"]
    store.append(*OWNER, "/g", "s", [(NOW_MS, "two")])
    assert messages(store, at=page.last) == ["two"]


def test_find_merges_streams_and_goes_on_where_it_stopped(store: LogStore) -> None:
    for number in range(30):
        store.append(*OWNER, "/g", f"a{number % 3}", [(number // 2, f"{number} {'odd' if number % 2 else 'even'}")])
    store.append(*OWNER, "/g", "other", [(1, "odd one out")])
    seen: list[str] = []
    at = None
    while True:
        page = store.find(*OWNER, "/g", Question(lambda text: "odd" in text), prefix="a", at=at, limit=4)
        seen += [event.message for _, event in page.events]
        at = page.next
        if at is None:
            break
    assert seen == [f"{number} odd" for number in range(1, 30, 2)]


def test_a_follower_sees_events_that_come_late_with_an_earlier_time(store: LogStore) -> None:
    store.append(*OWNER, "/g", "s", [(NOW_MS, "one"), (NOW_MS + 10, "two")])
    seen, at = follow(store, "s")
    assert seen == ["one", "two"]
    store.append(*OWNER, "/g", "s", [(NOW_MS - 1000, "late")])
    store.append(*OWNER, "/g", "s", [(NOW_MS + 20, "three"), (NOW_MS + 5, "late too")])
    seen, at = follow(store, "s", at)
    assert seen == ["late", "late too", "three"]
    assert follow(store, "s", at) == ([], at)
    tail = store.read(*OWNER, "/g", "s", limit=1)
    store.append(*OWNER, "/g", "s", [(1, "very late")])
    assert follow(store, "s", tail.last)[0] == ["very late"]
    assert messages(store, at=tail.first, from_head=False) == ["very late", "late", "one", "late too", "two"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=5), min_size=1, max_size=10),
    limit=st.integers(1, 4),
    reads=st.lists(st.integers(0, 3), min_size=10, max_size=10),
)
def test_a_follower_sees_every_event_once(
    store: LogStore, steps: list[list[int]], limit: int, reads: list[int]
) -> None:
    name = f"f{next(NUMBERS)}"
    store.append(*OWNER, "/g", name, [(5, "first")])
    sent, seen, at = ["first"], [], None
    for number, (times, pages) in enumerate(zip(steps, reads, strict=False)):
        batch = [(time, f"{number}.{place}") for place, time in enumerate(times)]
        store.append(*OWNER, "/g", name, batch)
        sent += [text for _, text in batch]
        for _ in range(pages):
            page = store.read(*OWNER, "/g", name, at=at, from_head=True, limit=limit)
            seen += [event.message for event in page.events]
            at = page.last
    seen += follow(store, name, at, limit=limit)[0]
    assert sorted(seen) == sorted(sent)


def test_find_newest_first_and_on_a_budget(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    for number in range(40):
        at = (number * 7) % 11
        store.append(*OWNER, "/g", f"a{number % 3}", [(at, f"{number:02d}"), (at + 3, f"{number:02d}+")])
        sent += [(at, f"{number:02d}"), (at + 3, f"{number:02d}+")]

    def all_pages(question: Question, limit: int) -> list[tuple[int, str]]:
        found, at = [], None
        for _ in range(500):
            page = store.find(*OWNER, "/g", question, at=at, limit=limit)
            found += [(event.timestamp_ms, event.message) for _, event in page.events]
            if page.next is None:
                return found
            assert page.next != at, "a page gets on"
            at = page.next
        raise AssertionError("it never ends")

    for budget in (finding.SEARCHED_BYTES_MAX, 0, 100):
        monkeypatch.setattr(finding, "SEARCHED_BYTES_MAX", budget)
        for limit in (1, 7, 1000):
            oldest = all_pages(Question(lambda text: True), limit)
            newest = all_pages(Question(lambda text: True, newest_first=True), limit)
            assert [at for at, _ in oldest] == sorted(at for at, _ in sent)
            assert newest == oldest[::-1]
            assert sorted(oldest) == sorted(sent)
    some = all_pages(Question(lambda text: text.endswith("+"), start_ms=4, end_ms=9, newest_first=True), 3)
    assert sorted(some) == sorted(pair for pair in sent if pair[1].endswith("+") and 4 <= pair[0] < 9)


def test_streams_that_follow_each_other_are_not_open_together(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "OPEN_STREAMS_MAX", 3)
    for number in range(20):
        store.append(*OWNER, "/g", f"s{number:02d}", [(number * 10, f"{number}"), (number * 10 + 1, f"{number}+")])
    used: list[int] = []

    def matches(text: str) -> bool:
        used.append(len([held for held in store._files._open.values() if held.uses]))
        return True

    for newest_first in (False, True):
        page = store.find(*OWNER, "/g", Question(matches, newest_first=newest_first))
        assert len(page.events) == 40
    assert max(used) == 1


def test_a_page_reads_no_more_appends_of_one_moment_than_it_shows(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        store.append(*OWNER, "/g", "s", [(1_000, f"{number}.{line}") for line in range(10)])
    read = []
    real = frames.read_events
    monkeypatch.setattr(frames, "read_events", lambda fd, frame, sieve=None: read.append(1) or real(fd, frame, sieve))
    newest = store.read(*OWNER, "/g", "s", limit=20)
    assert [event.message for event in newest.events] == [
        f"{number}.{line}" for number in (48, 49) for line in range(10)
    ]
    oldest = store.read(*OWNER, "/g", "s", from_head=True, limit=20)
    assert [event.message for event in oldest.events] == [f"{number}.{line}" for number in (0, 1) for line in range(10)]
    found = store.find(*OWNER, "/g", Question(lambda text: True), limit=20)
    assert [event.message for _, event in found.events] == [event.message for event in oldest.events]
    assert len(read) <= 12


def test_a_screen_leaves_whole_appends_unread(store: LogStore) -> None:
    store.append(*OWNER, "/g", "s", [(1, "needle"), (2, "hay")])
    store.append(*OWNER, "/g", "s", [(3, "hay"), (4, "hay")])
    asked: list[str] = []

    def matches(text: str) -> bool:
        asked.append(text)
        return True

    page = store.find(*OWNER, "/g", Question(matches, Sieve(screen=lambda raw: b"needle" in raw)))
    assert [event.message for _, event in page.events] == asked == ["needle"]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text("abé\x01\x00", max_size=6), min_size=1, max_size=12),
    st.text("abé\x01\x00", min_size=1, max_size=2),
)
def test_a_needle_finds_what_holds_it(store: LogStore, texts: list[str], needle: str) -> None:
    """Also where its bytes stand in the numbers between the messages."""
    name = f"n{next(NUMBERS)}"
    store.append(*OWNER, "/g", name, list(enumerate(texts)))
    question = Question(lambda text: True, Sieve(needle=needle.encode()))
    page = store.find(*OWNER, "/g", question, streams=[name])
    assert [event.message for _, event in page.events] == [text for text in texts if needle in text]

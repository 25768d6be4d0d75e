"""What a monitor saw beside what it was to see, as bars."""

from __future__ import annotations

from typing import Any

import pytest

from cloche.console.distributions import HEIGHT, VALUES_MAX, WIDTH, pictures


def numeric(name: str, low: float, high: float, counts: list[float], **more: Any) -> dict[str, Any]:
    step = (high - low) / len(counts)
    buckets = [
        {"lower_bound": low + step * at, "upper_bound": low + step * (at + 1), "count": count}
        for at, count in enumerate(counts)
    ]
    common = {"num_present": sum(counts), "num_missing": more.pop("missing", 0)}
    return {
        "name": name,
        "inferred_type": "Fractional",
        "numerical_statistics": {"common": common, "distribution": {"kll": {"buckets": buckets}}, **more},
    }


def textual(name: str, counts: dict[str, float]) -> dict[str, Any]:
    buckets = [{"value": value, "count": count} for value, count in counts.items()]
    return {
        "name": name,
        "inferred_type": "String",
        "string_statistics": {
            "common": {"num_present": 1, "num_missing": 0},
            "distribution": {"categorical": {"buckets": buckets}},
        },
    }


def document(*features: dict[str, Any]) -> dict[str, Any]:
    return {"version": 0.0, "features": list(features)}


def test_both_are_drawn_along_one_axis() -> None:
    (picture,) = pictures(document(numeric("a", 0, 10, [5, 5])), document(numeric("a", 10, 20, [30, 10])), {})
    assert picture.ends == ("0", "20")
    assert [(bar.x, bar.width) for bar in picture.baseline] == [(0, WIDTH / 4), (WIDTH / 4, WIDTH / 4)]
    assert [bar.x for bar in picture.now] == [WIDTH / 2, WIDTH * 3 / 4]
    # As high as the shares: three quarters is the most there is, whatever the numbers of records.
    assert picture.now[0].height == HEIGHT and picture.now[0].y == 0
    assert picture.baseline[0].height == pytest.approx(HEIGHT * 0.5 / 0.75, abs=0.01)
    assert picture.now[1].told == "15 to 20: 25.0%"


def test_a_constant_column_can_be_seen() -> None:
    (picture,) = pictures(None, document(numeric("a", 3, 3, [0, 7])), {})
    (bar,) = picture.now
    assert bar.width > 0 and 0 <= bar.x <= WIDTH - bar.width and picture.baseline == ()


def test_texts_are_pairs_of_bars_for_the_commonest_values() -> None:
    many = {f"v{number}": 1.0 for number in range(50)}
    (picture,) = pictures(document(textual("a", {"x": 3, "y": 1})), document(textual("a", {"x": 1, "z": 1})), {})
    assert [bar.told for bar in picture.baseline] == ["x: 75.0%", "z: 0.0%", "y: 25.0%"]
    assert [bar.told for bar in picture.now] == ["x: 50.0%", "z: 50.0%", "y: 0.0%"]
    (picture,) = pictures(None, document(textual("a", many)), {})
    assert len(picture.now) == VALUES_MAX


def test_captured_columns_have_no_names_and_are_matched_by_their_places() -> None:
    before = document(numeric("age", 0, 1, [1]), numeric("pay", 0, 1, [1]))
    found = pictures(before, document(numeric("_c0", 0, 1, [1]), numeric("_c1", 0, 1, [1])), {"pay": 2})
    assert [(picture.name, picture.violations) for picture in found] == [("pay", 2), ("age", 0)], "worst first"
    found = pictures(before, document(numeric("pay", 0, 1, [1]), numeric("new", 0, 1, [1])), {})
    assert [(picture.name, len(picture.baseline)) for picture in found] == [("pay", 1), ("new", 0)]


def test_what_is_told_in_words() -> None:
    now = numeric("a", 0, 1, [3], mean=0.5, missing=1)
    (picture,) = pictures(document(numeric("a", 0, 1, [3], mean=0.25)), document(now), {})
    assert picture.facts == (("mean", "0.25", "0.5"), ("present", "100.0%", "75.0%"))


def test_features_without_any_statistics_have_empty_pictures() -> None:
    (picture,) = pictures(None, document({"name": "a", "inferred_type": "Unknown"}), {})
    assert (picture.baseline, picture.now) == ((), ())
    assert pictures(None, {}, {}) == []

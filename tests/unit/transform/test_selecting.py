"""AWS's JSONPath: what its guide names, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from cloche_jobs.transform.selecting import NotThere, Path, PathRefused

ROW = ["a", "b", "c", "d", "e", "f"]
DOCUMENT = {"id": 7, "features": [1, 2, 3], "deep": {"x": {"y": 1}, "z": [{"k": 1}, {"k": 2}]}, "a b": 0}


@pytest.mark.parametrize(
    ("path", "value", "selected"),
    [
        ("$", ROW, ROW),
        ("", ROW, ROW),
        ("$[0]", ROW, "a"),
        ("$[-1]", ROW, "f"),
        ("$[1,3,5]", ROW, ["b", "d", "f"]),
        ("$[0,-1]", ROW, ["a", "f"]),
        ("$[1:4]", ROW, ["b", "c", "d", "e"]),  # "specifies the second through fifth columns"
        ("$[5:]", ROW, ["f"]),
        ("$[:5]", ROW, ROW),
        ("$[:1]", ROW, ["a", "b"]),
        ("$[1:-2]", ROW, ["b", "c", "d", "e"]),
        ("$[-2:]", ROW, ["e", "f"]),
        ("$[0,4:]", ROW, ["a", "e", "f"]),  # the form of "$[0,5:]" in API_DataProcessing
        ("$[ 0 , 2 ]", ROW, ["a", "c"]),
        ("$[4:2]", ROW, []),
        ("$.id", DOCUMENT, 7),
        ("$['id']", DOCUMENT, 7),
        ('$["a b"]', DOCUMENT, 0),
        ("$.features[1:]", DOCUMENT, [2, 3]),
        ("$['id','features']", DOCUMENT, {"id": 7, "features": [1, 2, 3]}),
        ("$.deep.x.y", DOCUMENT, 1),
        ("$.deep.['x']", DOCUMENT, {"y": 1}),
        ("$.deep.x.*", DOCUMENT, [1]),
        ("$.deep.z[*].k", DOCUMENT, [1, 2]),
        ("$[*]", ROW, ROW),
    ],
)
def test_what_a_path_selects(path: str, value: Any, selected: Any) -> None:
    assert Path(path).of(value) == selected


@pytest.mark.parametrize(
    "path", ["$[0]", "$[-1]", "$[1,3,5]", "$[0,-1]", "$[1:4]", "$[:5]", "$[4:2]", "$[*]", "$[2,2]"]
)
def test_a_row_of_texts_is_selected_from_by_position(path: str) -> None:
    found = Path(path).of_row(len(ROW))(ROW)
    assert (found if isinstance(found, str) else list(found)) == Path(path).of(ROW)
    with pytest.raises(NotThere):
        Path("$[6]").of_row(len(ROW))


@pytest.mark.parametrize(
    "path",
    ["a", "$$", "$..id", "$.", "$[", "$[]", "$['id'", "$[?(@.a)]", "$[1:4:2]", "$.a b", "$[a]", "$[1.5]", "$['a',1]"],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(PathRefused):
        Path(path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$[6]", ROW),
        ("$[-7]", ROW),
        ("$[0:6]", ROW),
        ("$.x", DOCUMENT),
        ("$.id", ROW[0]),
        ("$[0]", DOCUMENT),
        ("$.*", 1),
    ],
)
def test_what_is_not_there_is_told(path: str, value: Any) -> None:
    with pytest.raises(NotThere):
        Path(path).of(value)


def test_the_whole_is_told_from_a_part() -> None:
    assert Path("$").is_whole and Path(" $ ").is_whole and not Path("$[*]").is_whole
    assert Path("$.a").by_names and not Path("$[1]").by_names

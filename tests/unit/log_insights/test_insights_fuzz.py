"""Whatever is put together from the language's pieces is answered, or refused as no query: nothing else happens."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from insights_events import answered, events_of

from cloche.engines.log_insights.language import QueryError, read_query
from cloche.engines.log_insights.language.catalog import AGGREGATES, FUNCTIONS

PROFILE = settings(max_examples=60)
PIECES = [
    *("fields", "filter", "stats", "sort", "limit", "parse", "dedup", "display", "pattern", "unnest", "by", "as"),
    *("and", "or", "not", "in", "like", "=~", "into", "asc", "desc", "|", "|", ",", "(", ")", "[", "]"),
    *(
        "=",
        "!=",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "^",
        "%",
        "5m",
        "1 h",
        "3",
        "2.5",
        "'x'",
        '"a*b"',
        "/a(?<g>.)/",
        "# c\n",
    ),
    *(
        "@timestamp",
        "@message",
        "a",
        "a.b",
        "`c d`",
        "x[0]",
        "@ptr",
        "@duration",
        "\n",
        "count(*)",
        "bin(5m)",
        "jsonParse(",
    ),
]
EVENTS = events_of(
    [
        {"a": 1, "x": [1, {"y": "z"}], "c d": "text", "n": None},
        {"a": {"b": "12"}, "x": "aab", "s": "10.0.0.1"},
        {"a": "3.5", "x": True, "s": ""},
        "a1b plain",
        "{",
        "",
        '{"a": 1e400}',
        "[1, 2]",
    ]
)
FIELDS = st.sampled_from(
    ["a", "a.b", "x", "x.0", "s", "n", "`c d`", "@timestamp", "@message", "missing", "@ingestionTime"]
)
LITERALS = st.sampled_from(
    ["0", "1", "-2.5", "1e300", "'x'", "'12'", "''", "'10.0.0.0/8'", "99999999999999999999", "'é'"]
)


def calls(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def call(name: str) -> st.SearchStrategy[str]:
        least, most = FUNCTIONS[name]
        if name in ("datefloor", "dateceil"):
            return parts.map(lambda at: f"{name}({at}, 3mo)")
        if name == "bin":
            return st.just("bin(90s)")
        if name == "regex_replace":
            return st.tuples(parts, parts).map(lambda pair: f"{name}({pair[0]}, /[0-9]+/, {pair[1]})")
        return st.lists(parts, min_size=least, max_size=min(most, least + 2)).map(
            lambda given: f"{name}({', '.join(given)})"
        )

    return st.sampled_from(sorted(FUNCTIONS)).flatmap(call)


expressions = st.recursive(
    st.one_of(FIELDS, LITERALS),
    lambda parts: st.one_of(
        calls(parts),
        st.tuples(parts, st.sampled_from("+-*/%^"), parts).map(lambda found: f"({' '.join(found)})"),
        st.tuples(parts, st.sampled_from(["=", "!=", "<", ">=", "and", "or"]), parts).map(lambda f: f"({' '.join(f)})"),
        parts.map(lambda part: f"(not {part})"),
        parts.map(lambda part: f"({part} like /[0-9]$/)"),
        parts.map(lambda part: f"({part} in [1, 'x', {part}])"),
    ),
    max_leaves=8,
)


@PROFILE
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join)))
def test_any_text(query: str) -> None:
    try:
        read_query(query)
    except QueryError as error:
        assert 0 <= error.start <= error.end <= len(query)
        return
    answered(query, EVENTS, processes=2, split=2)


@PROFILE
@given(expressions, expressions, st.sampled_from(sorted(AGGREGATES)))
def test_any_expression(value: str, other: str, aggregate: str) -> None:
    rows = answered(
        f"fields {value} as v | filter {other} | sort {value} desc, {other} | display v, {other} as w", EVENTS
    )
    assert len(rows) <= len(EVENTS)
    call = f"{aggregate}({value}{', 75' if aggregate == 'pct' else ''})"
    grouped = answered(
        f"stats {call} as v, count(*) as n by {other} as k | sort v desc | limit 3", EVENTS, split=1, processes=3
    )
    assert sum(int(row["n"]) for row in grouped) <= len(EVENTS)
    answered(f"stats count(*) as n by {value} as k | filter n > 0 | fields k, n * 2 as m", EVENTS)

"""Searches for metrics, by the examples of the guide; labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.metric_math import Labelling, MathError, Series, label_of, read_search
from cloche.engines.metric_math.search import pieces
from cloche.foundation.errors import Invalid, NotSupported

Metric = tuple[str, str, tuple[tuple[str, str], ...]]
CPU: Metric = ("AWS/EC2", "CPUUtilization", (("InstanceId", "i-1234567890123456"),))
BY_TYPE: Metric = ("AWS/EC2", "CPUUtilization", (("InstanceType", "t2.micro"),))
CUSTOM: Metric = ("MyNamespace", "CustomCount1", ())
NETWORK: Metric = ("MyNamespace", "Network-Errors-2", (("ProjectName", "ProjectA"),))
ODD: Metric = ("My Namespace", "Custom:Name[Special_Characters", (("Dimension@Name", "x y"),))
ALL = {"cpu": CPU, "type": BY_TYPE, "custom": CUSTOM, "network": NETWORK, "odd": ODD}


def found(query: str) -> set[str]:
    search = read_search(query)
    return {name for name, metric in ALL.items() if search.matches(*metric)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CustomCount1", ["Custom", "Count", "1"]),
        ("SDBFailure", ["SDB", "Failure"]),
        ("Project2-trial333", ["Project", "2", "trial", "333"]),
        ("couNT", ["cou", "NT"]),
    ],
)
def test_tokens_of_the_guide(name: str, expected: list[str]) -> None:
    assert pieces(name) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{AWS/EC2,InstanceId} MetricName="CPUUtilization"', {"cpu"}),
        (' {AWS/EC2, InstanceType}, "CPUUtilization" ', {"type"}),
        ("{AWS/EC2}", {"cpu", "type"}),
        ("{AWS/EC2,InstanceId,InstanceType}", set()),
        ("count", {"custom"}),
        ("COUNT", {"custom"}),
        ("couNT", set()),
        ("CustomCount", {"custom"}),
        ("Count1", {"custom"}),
        ("customcount", set()),
        ("count1", set()),
        ("customcount1", set()),
        ('"CustomCount1"', {"custom"}),
        ('"customcount1"', set()),
        ('"Custom"', set()),
        ("network/errors", {"network"}),
        ("Network_Errors", {"network"}),
        ("NetworkErrors", {"network"}),
        ('"Network_Errors_2"', set()),
        ('{"My Namespace", "Dimension@Name"}, "Custom:Name[Special_Characters"', {"odd"}),
        ("InstanceType=micro", {"type"}),
        ('InstanceType="t2.micro" Namespace="AWS/EC2"', {"type"}),
        ("NOT Namespace=AWS", {"custom", "network", "odd"}),
        ('MetricName="CPUUtilization" NOT i-1234567890123456', {"type"}),
        ("cpu OR network", {"cpu", "type", "network"}),
        ("(cpu OR network) AND ProjectA", {"network"}),
        ("(cpu OR network) ProjectA", {"network"}),
        ("cpu OR network ProjectA", {"cpu", "type", "network"}),
        ('MetricName=("CustomCount1" OR "Network-Errors-2")', {"custom", "network"}),
        ("and", set()),
    ],
)
def test_searches_of_the_guide(query: str, expected: set[str]) -> None:
    assert found(query) == expected


@pytest.mark.parametrize(
    "query", ["", "  ", "{}", "a AND", "OR a", "(a", "a)", '"open', "MetricName=", "=a", "-", "{,x}"]
)
def test_what_cannot_be_read(query: str) -> None:
    with pytest.raises(MathError):
        read_search(query)


def test_other_accounts_are_refused_by_name() -> None:
    with pytest.raises(NotSupported, match=r":aws\.AccountId"):
        read_search(':aws.AccountId = "444455556666"')
    with pytest.raises(MathError, match="1024"):
        read_search("x" * 1025)
    with pytest.raises(MathError, match="nested"):
        read_search("(" * 200 + "a" + ")" * 200)


@given(st.text('aB1 "\\(){}=,-ANDORNOT', max_size=50))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found(text)
    except (MathError, NotSupported):
        pass


POINTS = Series({0: 1.0, 60: 4.0, 180: 2.5}, 60, "mine", {"MetricName": "m", "Dim.Id": "i-1"})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("${LABEL}: ${MAX} of ${PROP('Dim.Id')}", "mine: 4 of i-1"),
        ("${AVG} ${SUM} ${MIN} ${FIRST} ${LAST}", "2.5 7.5 1 1 2.5"),
        ("${DATAPOINT_COUNT} ${MIN_MAX_RANGE} ${FIRST_LAST_RANGE}", "3 3 1.5"),
        ("${LAST_TIME} ${FIRST_LAST_TIME_RANGE} ${LAST_TIME_RELATIVE}", "1970-01-01 01:33 3m 1h 2m"),
        ("${PROP('Dim.None')} ${WHAT}", "${PROP('Dim.None')} ${WHAT}"),
    ],
)
def test_labels(template: str, expected: str) -> None:
    assert label_of(template, POINTS, Labelling.of(180 + 3720, "+0130")) == expected


def test_labels_that_are_refused() -> None:
    labelling = Labelling.of(0, None)
    assert label_of("${MAX}", Series({}, 60), labelling) == "--"
    for template in ("${LABEL}${LABEL}", "${MAX}" * 7):
        with pytest.raises(Invalid):
            label_of(template, POINTS, labelling)
    with pytest.raises(Invalid, match="Timezone"):
        Labelling.of(0, "Europe/Berlin")

"""Which copies fit on so many instances."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.services.sagemaker.hosting.instance_types import Capacity, capacity_of
from cloche.services.sagemaker.hosting.placing import Need, fits

LARGE = Capacity(2, 8_192)


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("ml.m5.large", Capacity(2, 8_192)),
        ("ml.m7i.24xlarge", Capacity(96, 393_216)),
        ("ml.c5.9xlarge", Capacity(36, 73_728)),
        ("ml.r6gd.xlarge", Capacity(4, 32_768)),
        ("ml.c8g.medium", Capacity(1, 2_048)),
        ("ml.c4.8xlarge", None),
        ("ml.g5.xlarge", None),
        ("ml.t2.medium", None),
        ("ml.inf2.xlarge", None),
    ],
)
def test_capacities_follow_the_rule_of_the_family(instance_type: str, expected: Capacity | None) -> None:
    assert capacity_of(instance_type) == expected


@pytest.mark.parametrize(
    ("instances", "needs", "expected"),
    [
        (1, [Need(1, 4_096, 2)], True),
        (1, [Need(1, 4_096, 3)], False),
        (2, [Need(1, 4_096, 3)], True),
        (2, [Need(0.25, 5_000, 2), Need(0.25, 3_000, 2)], True),
        (2, [Need(0.25, 5_000, 2), Need(0.25, 4_000, 1)], False),
        (0, [Need(0, 1, 0)], True),
        (0, [Need(0, 1, 1)], False),
    ],
)
def test_copies_are_not_split_over_instances(instances: int, needs: list[Need], expected: bool) -> None:
    assert fits(LARGE, instances, needs) is expected


NEEDS = st.lists(
    st.builds(Need, st.sampled_from([0.0, 0.25, 1.0, 2.0]), st.integers(128, 9_000), st.integers(0, 4)), max_size=5
)


@given(st.integers(0, 5), NEEDS)
def test_what_fits_is_within_the_whole_and_fits_on_more(instances: int, needs: list[Need]) -> None:
    if fits(LARGE, instances, needs):
        assert sum(need.memory_mb * need.copies for need in needs) <= LARGE.memory_mb * instances
        assert sum(need.cpu_cores * need.copies for need in needs) <= LARGE.cpu_cores * instances
        assert fits(LARGE, instances + 1, needs)

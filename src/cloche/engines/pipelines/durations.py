"""Durations in ISO 8601 as ``CacheConfig.ExpireAfter`` has them: ``P30D``, ``p4DT12H``, ``T16m``, ``30d``.

AWS's own examples leave the ``P`` out and use small letters
(docs.aws.amazon.com/sagemaker/latest/dg/pipelines-caching-enabling.html); a year is taken as 365 days, a month as 30.
"""

from __future__ import annotations

import re
from typing import Final

from cloche.foundation.errors import Invalid

_UNITS: Final = (365 * 86_400, 30 * 86_400, 7 * 86_400, 86_400, 3_600, 60, 1)
_NUMBER: Final = r"(\d{1,9})"
_FORM: Final = re.compile(
    rf"P?(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?",
    re.IGNORECASE,
)


def seconds_of(text: str) -> int:
    """Raises ``Invalid`` for what is no duration, or one of nothing."""
    found = _FORM.fullmatch(text)
    if found is None or not any(found.groups()):
        raise Invalid(f"{text!r} is not a duration of ISO 8601, such as P30D or PT1H", field="ExpireAfter")
    return sum(int(number) * unit for number, unit in zip(found.groups(), _UNITS, strict=True) if number)

"""The life of a validation, Pending until its job is made: its states are those of the package (ModelPackageStatus)."""

from __future__ import annotations

from typing import Final

from cloche.lifecycle.machine import BROKEN, Lifecycle

KIND: Final = "model-package-validation"
PENDING: Final = "Pending"
FAILED: Final = "Failed"
BEGAN: Final = "Began"
PASSED: Final = "Passed"
GAVE_UP: Final = "GaveUp"

LIFECYCLE: Final = Lifecycle(
    kind=KIND,
    initial=PENDING,
    table={
        (PENDING, BEGAN): "InProgress",
        (PENDING, GAVE_UP): FAILED,
        (PENDING, BROKEN): FAILED,
        ("InProgress", PASSED): "Completed",
        ("InProgress", GAVE_UP): FAILED,
        ("InProgress", BROKEN): FAILED,
    },
    terminal=frozenset({"Completed", FAILED}),
)

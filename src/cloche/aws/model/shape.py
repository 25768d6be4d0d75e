"""The type of a shape, for annotations.

botocore has one class per kind of shape (``members`` on structures, ``member`` on lists, ``key`` and ``value`` on
maps) and tells them apart by ``type_name``, which no type checker can follow. So a shape is ``Any`` to ours, under
a name that says what is meant.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Shape: TypeAlias = Any

"""Amazon Resource Names: ``arn:partition:service:region:account:resource``.

The resource part is the service's own business and may hold colons and slashes; it is kept whole.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arn:
    """``Arn.parse`` and ``str`` are each other's inverse. IAM and S3 leave ``region`` (and S3 ``account``) empty."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Raises ``ValueError`` for what is not an ARN."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
            raise ValueError(f"not an ARN: {text[:200]!r}")
        return cls(*parts[1:])

    @classmethod
    def try_parse(cls, text: str) -> Arn | None:
        try:
            return cls.parse(text)
        except ValueError:
            return None

    @property
    def kind(self) -> str:
        """What comes before the first ``/`` or ``:`` of the resource; empty when there is neither."""
        return self._split()[0]

    @property
    def name(self) -> str:
        """What comes after it: ``my-job`` of ``training-job/my-job``."""
        return self._split()[1]

    def _split(self) -> tuple[str, str]:
        cut = next((at for at, sign in enumerate(self.resource) if sign in "/:"), -1)
        return ("", self.resource) if cut < 0 else (self.resource[:cut], self.resource[cut + 1 :])

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

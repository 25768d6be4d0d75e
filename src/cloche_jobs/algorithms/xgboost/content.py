"""Which content types AWS's XGBoost reads, in its own words. Rules: ``data_utils.py`` there."""

from __future__ import annotations

from typing import Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.data.content_types import FORMS, Form, form_of, media_type

_ACCEPTED: Final = ", ".join(FORMS)


def accepted_form(content_type: str) -> Form:
    """How data of that type is read. Raises ``UserError``."""
    form = form_of(content_type)
    if form is None:
        raise UserError(f"{content_type} is not an accepted ContentType: {_ACCEPTED}.")
    if form == "csv" and media_type(content_type)[1].get("label_size", "1") != "1":
        raise UserError(
            f"{content_type} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
        )
    return form

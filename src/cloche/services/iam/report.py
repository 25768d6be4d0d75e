"""The credential report: a table of all users with their credentials, as CSV.

Columns and their words (``N/A``, ``not_supported``, ``no_information``) are those of
docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html. A report is good for four hours; a new
one is made when one is asked for after that.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import AccessKey, User
from cloche.foundation.clock import from_epoch
from cloche.services.iam.naming import mine

KIND: Final = "credential-report"
SECONDS: Final = 4 * 3600
COLUMNS: Final = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed",
    "password_next_rotation", "mfa_active", "access_key_1_active", "access_key_1_last_rotated",
    "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
    "access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date",
    "access_key_2_last_used_region", "access_key_2_last_used_service", "cert_1_active", "cert_1_last_rotated",
    "cert_2_active", "cert_2_last_rotated",
)  # fmt: skip
NONE: Final = "N/A"


@operation("GenerateCredentialReport")
def generate_credential_report(ctx: Context, request: Members) -> Members:
    """It is there when this is answered, but as with IAM the first answer says that it was begun."""
    things, now = mine(ctx).things, mine(ctx).now
    held = things.find(KIND, KIND)
    if held is not None and now - held.details["at"] < SECONDS:
        return {"State": "COMPLETE"}
    details = {"at": now, "content": _report(ctx)}
    if held is None:
        things.create(KIND, KIND, details, exists="There is a report.")
    else:
        things.change(held, lambda _: details)
    return {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}


@operation("GetCredentialReport", reads=True)
def get_credential_report(ctx: Context, request: Members) -> Members:
    held = mine(ctx).things.find(KIND, KIND)
    if held is None:
        raise AwsError("ReportNotPresent", "No report present. Generate one with GenerateCredentialReport.", 410)
    if mine(ctx).now - held.details["at"] >= SECONDS:
        message = "The most recent credential report has expired. Generate a new one with GenerateCredentialReport."
        raise AwsError("ReportExpired", message, 410)
    return {
        "Content": held.details["content"].encode(),
        "ReportFormat": "text/csv",
        "GeneratedTime": from_epoch(held.details["at"]),
    }


def _report(ctx: Context) -> str:
    identity = mine(ctx)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    keys = identity.keys.held_by(None)
    root = ["<root_account>", identity.root_arn, _time(identity.about().created_at), "not_supported"]
    rows.writerow([*root, *["not_supported"] * 3, "false", *_keys(keys), *_certificates([])])
    for user in identity.entities.all("user"):
        assert isinstance(user, User)
        rows.writerow([user.name, user.arn, _time(user.created_at), *_password(ctx, user), *_credentials(ctx, user)])
    return text.getvalue()


def _password(ctx: Context, user: User) -> list[str]:
    """Whether there is one, its last use (Cloche has no sign-in), last change and next change."""
    profile = mine(ctx).things.find("login-profile", user.id)
    if profile is None:
        return ["false", NONE, NONE, NONE]
    changed = from_epoch(profile.details["changed_at"])
    days = (mine(ctx).setting("password_policy") or {}).get("MaxPasswordAge")
    following = NONE if not days else _time(changed + timedelta(days=days))
    return ["true", "no_information", _time(changed), following]


def _credentials(ctx: Context, user: User) -> list[str]:
    identity = mine(ctx)
    devices = identity.things.all("mfa-device", owner=user.id)
    certificates = identity.things.all("signing-certificate", owner=user.id)
    shown = [(each.details["status"] == "Active", each.created_at) for each in certificates]
    keys = sorted(identity.keys.held_by(user.name), key=lambda each: each.created_at)
    return ["true" if devices else "false", *_keys(keys), *_certificates(shown)]


def _keys(keys: list[AccessKey]) -> list[str]:
    shown: list[str] = []
    for key in keys[:2]:
        used = NONE if key.used_at is None else _time(key.used_at)
        shown += [_truth(key.active), _time(key.created_at), used, key.used_region or NONE, key.used_service or NONE]
    return shown + ["false", NONE, NONE, NONE, NONE] * (2 - len(keys[:2]))


def _certificates(shown: list[tuple[bool, datetime]]) -> list[str]:
    cells = [cell for active, at in shown[:2] for cell in (_truth(active), _time(at))]
    return cells + ["false", NONE] * (2 - len(shown[:2]))


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+00:00")

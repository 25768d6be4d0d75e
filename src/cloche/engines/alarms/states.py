"""Changes of state, each with all that follows from it, in one transaction.

The new state, its history, its event, its actions and the composite alarms that look at it are written together or not
at all: a change happens once, whatever is killed when. Actions are handed to engines of this very database (a topic,
a function's queue of events), so they are owed by those from then on; one that refuses is noted in the history, as
CloudWatch does, and not tried again.

Suppression (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-suppression.html): a composite alarm that
changes its state while its suppressor is in ALARM keeps still. If the suppressor is not, it waits for the
``WaitPeriod`` whether it gets there; once the suppressor has left ALARM, for the ``ExtensionPeriod``. Then it acts for
the state it is in. A further change of state begins to wait anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from cloche.engines.alarms import messages, rows
from cloche.engines.alarms import rule as rules
from cloche.engines.alarms.judging import ALARM, INSUFFICIENT_DATA, OK
from cloche.engines.alarms.reasons import long_date, stamp
from cloche.foundation.errors import ClocheError
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

LASTING: Final = "autoscaling"
"""Whose actions are taken for as long as the state lasts (alarms-and-actions.html); all others once, when it begins."""
ACTIONS_OF: Final = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}


@dataclass(frozen=True, slots=True)
class Notice:
    """What an action is handed: ``message`` for a topic (``letter`` for who reads it), ``payload`` for a function."""

    account: str
    region: str
    alarm_arn: str
    action: str
    state: str
    """The one the alarm is in."""
    subject: str
    message: str
    letter: str
    payload: str


Act = Callable[[sqlite3.Connection, Notice], None]
"""Takes a notice over, in the transaction. Raises ``ClocheError``: it is not taken."""
Emit = Callable[[sqlite3.Connection, Record, str, Mapping[str, Any]], None]
"""An event about an alarm: its detail type, its detail."""


class States:
    """``actions``: by the service in an action's ARN, who takes it. ``region_name``: ``US East (N. Virginia)``."""

    def __init__(self, actions: Mapping[str, Act], emit: Emit, region_name: Callable[[str], str]) -> None:
        self._actions = actions
        self._emit = emit
        self._region_name = region_name

    def change(
        self,
        tx: sqlite3.Connection,
        record: Record,
        value: str,
        reason: str,
        reason_data: str | None,
        now: float,
        *,
        evaluation: str | None = None,
        trail: tuple[str, ...] = (),
    ) -> Record:
        """The alarm as it is then. The same value again only says why."""
        old = record.state
        moves = value != record.status
        state: dict[str, Any] = {
            "reason": reason,
            "reason_data": reason_data,
            "updated": now,
            "transitioned": now if moves else old["transitioned"],
            "evaluation": evaluation,
            "suppressed": old.get("suppressed"),
        }
        if moves:
            state["suppressed"] = self._suppression(tx, record, record.status, now)
        changed = self._keep(tx, record, value, state)
        if not moves:
            return changed
        rows.write_item(
            tx,
            record,
            rows.STATE,
            now,
            f"Alarm updated from {record.status} to {value}",
            messages.state_history(value, state, record.status, old),
        )
        detail = messages.change_detail(changed, value, state, messages.state_told(record.status, old))
        self._emit(tx, changed, messages.STATE_CHANGE, detail)
        if not state["suppressed"]:
            self._act(tx, changed, record.status, detail, now)
        self._tell_parents(tx, changed, now, (*trail, record.arn))
        return changed

    def evaluate_composite(self, tx: sqlite3.Connection, record: Record, event: str, now: float) -> Record:
        """After it was put: ``event`` is ``created`` or ``updated``."""
        value = self._rule_says(tx, record)
        reason = f"{record.arn} was {event} and its alarm rule evaluates to {value}"
        seen = [found for arn in rows.children(tx, record.arn) if (found := rows.find(tx, arn)) is not None]
        return self.change(tx, record, value, reason, _triggered_by(*seen), now)

    def forget_suppression(self, tx: sqlite3.Connection, record: Record) -> Record:
        """The suppressor was replaced: "any active WaitPeriod or ExtensionPeriod is discarded"
        (alarm-suppression.html), and with it what was held back."""
        rows.set_timer(tx, record.arn, None)
        if not record.state.get("suppressed"):
            return record
        return self._keep(tx, record, record.status, {**record.state, "suppressed": None})

    def release(self, tx: sqlite3.Connection, arn: str, now: float) -> None:
        """A suppression has ended: act for the state the alarm is in."""
        rows.set_timer(tx, arn, None)
        record = rows.find(tx, arn)
        suppressed = None if record is None else record.state.get("suppressed")
        if record is None or not suppressed:
            return
        before = messages.state_told(record.status, record.state)
        state = {**record.state, "suppressed": None, "updated": now}
        changed = self._keep(tx, record, record.status, state)
        detail = messages.change_detail(changed, record.status, state, before)
        self._act(tx, changed, suppressed["from"], detail, now)

    def take_up(self, tx: sqlite3.Connection, record: Record, before: Record, now: float) -> None:
        """It was configured anew while it is in its state: actions that last, and are new to it, begin."""
        had = set(_actions(before))
        new = [each for each in _actions(record) if _service(each) == LASTING and each not in had]
        if new:
            told = messages.state_told(record.status, record.state)
            detail = messages.change_detail(record, record.status, record.state, told)
            self._act(tx, record, record.status, detail, now, new)

    def tell(self, tx: sqlite3.Connection, record: Record, kind: str, detail: Mapping[str, Any]) -> None:
        """An event about the alarm."""
        self._emit(tx, record, kind, detail)

    # -- inside ------------------------------------------------------------------------------------------

    def _keep(self, tx: sqlite3.Connection, record: Record, value: str, state: dict[str, Any]) -> Record:
        records.set_status(tx, record.arn, value, state=state)
        return replace(record, status=value, state=state)

    def _act(
        self,
        tx: sqlite3.Connection,
        record: Record,
        old_value: str,
        detail: dict[str, Any],
        now: float,
        only: Sequence[str] | None = None,
    ) -> None:
        name = self._region_name(record.region)
        value, state = record.status, record.state
        for action in dict.fromkeys(_actions(record) if only is None else only):
            notice = Notice(
                record.account,
                record.region,
                record.arn,
                action,
                value,
                messages.subject(record, value, name),
                messages.for_topic(record, value, state, old_value, name),
                messages.letter(record, value, state, old_value, name),
                messages.for_function(record, detail, now),
            )
            failure = self._hand_over(tx, notice)
            told: dict[str, Any] = {
                "actionState": "Failed" if failure else "Succeeded",
                "stateUpdateTimestamp": int(state["updated"] * 1000),
                "notificationResource": action,
            }
            if _service(action) == "sns":
                published = {"default": notice.message, "sms": notice.subject, "email": notice.letter}
                told["publishedMessage"] = orjson.dumps(published).decode()
            summary = f"Successfully executed action {action}"
            if failure:
                told["error"] = failure
                summary = f'Failed to execute action {action}. Received error: "{failure}"'
            rows.write_item(tx, record, rows.ACTION, now, summary, told)

    def _hand_over(self, tx: sqlite3.Connection, notice: Notice) -> str:
        """What went wrong; nothing, as a rule."""
        act = self._actions.get(_service(notice.action))
        if act is None:
            return f"Nothing here takes actions of the form {notice.action}"
        tx.execute("SAVEPOINT alarm_action")
        try:
            act(tx, notice)
        except ClocheError as error:
            tx.execute("ROLLBACK TO alarm_action")
            return error.message
        finally:
            tx.execute("RELEASE alarm_action")
        return ""

    def _tell_parents(self, tx: sqlite3.Connection, child: Record, now: float, trail: tuple[str, ...]) -> None:
        for arn in rows.parents(tx, child.arn):
            parent = rows.find(tx, arn)
            if parent is None or arn in trail:  # "evaluation stops if CloudWatch detects a cycle" (API_DeleteAlarms)
                continue
            value = self._rule_says(tx, parent)
            if value != parent.status:
                reason = f"{child.arn} transitioned to {child.status} at {long_date(now)}"
                self.change(tx, parent, value, reason, _triggered_by(child), now, trail=trail)
        for arn in rows.parents(tx, child.arn, "suppressor"):
            parent = rows.find(tx, arn)
            if parent is not None and parent.state.get("suppressed"):
                self._suppressor_moved(tx, parent, child, now)

    def _rule_says(self, tx: sqlite3.Connection, record: Record) -> str:
        def state_of(alarm: str) -> str | None:
            found = rows.find(tx, rows.arn_meant(record.account, record.region, alarm))
            return None if found is None else found.status

        return ALARM if rules.holds(rules.read(record.request["AlarmRule"]), state_of) else OK

    def _suppression(self, tx: sqlite3.Connection, record: Record, old_value: str, now: float) -> dict[str, Any] | None:
        """How the actions of a change that happens now are held back."""
        named = record.request.get("ActionsSuppressor")
        rows.set_timer(tx, record.arn, None)
        if named is None:
            return None
        suppressor = rows.find(tx, rows.arn_meant(record.account, record.region, named))
        if suppressor is not None and suppressor.status == ALARM:
            return _held("Alarm", old_value, None, suppressor.name)
        wait = record.request.get("ActionsSuppressorWaitPeriod") or 0
        if wait <= 0:
            return None
        rows.set_timer(tx, record.arn, now + wait)
        return _held("WaitPeriod", old_value, now + wait)

    def _suppressor_moved(self, tx: sqlite3.Connection, record: Record, suppressor: Record, now: float) -> None:
        held = record.state["suppressed"]
        if suppressor.status == ALARM:
            rows.set_timer(tx, record.arn, None)
            new = _held("Alarm", held["from"], None, suppressor.name)
        elif held["by"] == "Alarm":
            extension = record.request.get("ActionsSuppressorExtensionPeriod") or 0
            if extension <= 0:
                self.release(tx, record.arn, now)
                return
            rows.set_timer(tx, record.arn, now + extension)
            new = _held("ExtensionPeriod", held["from"], now + extension)
        else:
            return
        self._keep(tx, record, record.status, {**record.state, "suppressed": new, "updated": now})


def _held(by: str, old_value: str, until: float | None, suppressor: str = "") -> dict[str, Any]:
    reason = f"Actions suppressed by {suppressor or by}"
    return {"by": by, "reason": reason, "from": old_value, "until": until}


def _triggered_by(*children: Record) -> str:
    told = [
        {"arn": child.arn, "state": {"value": child.status, "timestamp": stamp(child.state["transitioned"])}}
        for child in children
    ]
    while len(written := orjson.dumps({"triggeringAlarms": told})) > 4_000:
        told = told[: len(told) // 2]
    return written.decode()


def _actions(record: Record) -> Sequence[str]:
    """Those of the state it is in."""
    return record.request.get(ACTIONS_OF[record.status]) or () if record.request.get("ActionsEnabled", True) else ()


def _service(arn: str) -> str:
    parts = arn.split(":", 3)
    return parts[2] if len(parts) > 3 else ""

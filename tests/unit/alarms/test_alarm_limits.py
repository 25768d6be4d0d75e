"""How many alarms there may be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloche.aws.errors import AwsError
from cloche.engines.alarms import KIND
from cloche.services.cloudwatch import metric_alarm
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate


def test_metric_and_composite_alarms_are_counted_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_alarm, "ALARMS_MAX", 2)
    database = Database(tmp_path / "cloche.db")
    migrate(database, records.MIGRATIONS)
    ctx: Any = SimpleNamespace(account="123456789012", region="us-east-1")

    def put(name: str, request: dict[str, Any]) -> None:
        def change(tx: Any) -> None:
            metric_alarm._require_room(tx, ctx, is_composite="AlarmRule" in request)
            place = {"account": ctx.account, "region": ctx.region, "kind": KIND}
            records.insert(tx, **place, name=name, arn=name, at=0.0, request=request)

        database.write(change)

    put("a", {"MetricName": "m"})
    put("b", {"MetricName": "m"})
    with pytest.raises(AwsError, match="LimitExceeded"):
        put("c", {"MetricName": "m"})
    put("d", {"AlarmRule": "TRUE"})
    put("e", {"AlarmRule": "TRUE"})
    with pytest.raises(AwsError, match="LimitExceeded"):
        put("f", {"AlarmRule": "TRUE"})
    database.close()

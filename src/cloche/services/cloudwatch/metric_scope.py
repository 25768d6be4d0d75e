"""What the expressions of one GetMetricData request may refer to: its metrics, its other expressions, searches."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.engines.metric_math import MathError, Model, Series, read_search, train
from cloche.services.cloudwatch.metric_data import dimensions_of
from cloche.services.cloudwatch.metric_statistics import aligned, held_by, known_statistic, require_period
from cloche.storage.metrics import Metric, Statistics

SEARCH_PERIOD_DEFAULT: Final = 300
# "A graph can display as many as 500 time series"; metrics that reported in the last two weeks are found
# (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html, using-search-expressions.html).
SERIES_MAX: Final = 500
SEARCHES_MAX: Final = 100
SEARCHED_SECONDS: Final = 14 * 24 * 3600
LIST_PAGE: Final = 1_000


class RequestScope:
    """A ``metric_math.Scope``. ``messages`` collects what the answer has to tell about searches."""

    def __init__(self, ctx: Context, queries: list[Members], start: datetime, end: datetime) -> None:
        self._ctx = ctx
        self._queries = {query["Id"]: query for query in queries}
        self._from, self._to = start, end
        self.start = aligned(ctx, start, 60 if all(self._queried_period(q) >= 60 for q in queries) else 1)
        self.end = end.timestamp()
        self._metrics: dict[str, tuple[Series, list[tuple[int, float]]]] = {}
        self._searches: dict[tuple[str, str, int], list[Series]] = {}
        self.messages: list[Members] = []

    def metric_ids(self) -> list[str]:
        return [id for id, query in self._queries.items() if "MetricStat" in query]

    def metric(self, id: str) -> Series:
        """Samples of different units are added up."""
        return self._read(id)[0]

    def points(self, id: str) -> list[tuple[int, float]]:
        """The metric's points, earliest first. Samples of every unit, as the API says: those of different units are
        points of their own."""
        return self._read(id)[1]

    def expression(self, id: str) -> str | None:
        query = self._queries.get(id)
        return None if query is None else query.get("Expression")

    def period(self, id: str) -> int:
        """What the query says; else the longest of the request's metrics."""
        asked = self._queries[id].get("Period")
        if asked is not None:
            return int(asked)
        periods = [self._queries[id]["MetricStat"]["Period"] for id in self.metric_ids()]
        return max(periods, default=SEARCH_PERIOD_DEFAULT)

    def search(self, query: str, stat: str, period: int) -> list[Series]:
        """The same search is made once."""
        asked = (query, stat, period)
        if asked not in self._searches:
            if len(self._searches) >= SEARCHES_MAX:
                raise MathError(f"A request may have at most {SEARCHES_MAX} searches")
            self._searches[asked] = self._search(query, stat, period)
        return self._searches[asked]

    def model(self, id: str) -> Model | None:
        """Of the two weeks before the time range."""
        stat = self._queries[id]["MetricStat"]
        metric = (stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], dimensions_of(stat["Metric"]))
        compute = known_statistic(stat["Stat"])
        return train(
            self._ctx.parts.alarms.detectors.history(
                self._ctx.account, self._ctx.region, metric, stat["Stat"], compute, stat["Period"], self.start
            )
        )

    # -- inside ------------------------------------------------------------------------------------------

    def _search(self, query: str, stat: str, period: int) -> list[Series]:
        compute, wanted = known_statistic(stat), read_search(query)
        require_period(period)
        found = [metric for metric in self._listed(wanted.namespace) if wanted.matches(*_identity(metric))]
        if len(found) > SERIES_MAX:
            found = found[:SERIES_MAX]
            text = f"The search found more than {SERIES_MAX} metrics; the first {SERIES_MAX} are returned."
            self.messages.append({"Code": "MaxMetricsExceeded", "Value": text})
        labels = _distinct(found)
        series: list[Series] = []
        for metric, label in zip(found, labels, strict=True):
            member = {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in metric.dimensions],
            }
            merged = _merged(held_by(self._ctx, member, self._from, self._to, period, None))
            points = {at: value for at, held in merged.items() if (value := compute(held)) is not None}
            series.append(Series(points, period, label, self._properties(member, period, stat)))
        return series

    def _queried_period(self, query: Members) -> int:
        stat = query.get("MetricStat")
        return int(stat["Period"] if stat is not None else query.get("Period", 60))

    def _read(self, id: str) -> tuple[Series, list[tuple[int, float]]]:
        if id not in self._metrics:
            query = self._queries[id]
            stat = query["MetricStat"]
            compute, period = known_statistic(stat["Stat"]), stat["Period"]
            held = held_by(self._ctx, stat["Metric"], self._from, self._to, period, stat.get("Unit"))
            listed = [(at, value) for at, _, each in held if (value := compute(each)) is not None]
            points = {at: value for at, each in _merged(held).items() if (value := compute(each)) is not None}
            label = query.get("Label") or stat["Metric"]["MetricName"]
            if "${" in label:
                label = stat["Metric"]["MetricName"]
            properties = self._properties(stat["Metric"], period, stat["Stat"])
            self._metrics[id] = Series(points, period, label, properties), listed
        return self._metrics[id]

    def _properties(self, metric: Members, period: int, stat: str) -> dict[str, str]:
        return {
            "AccountId": self._ctx.account,
            "Region": self._ctx.region,
            "Namespace": metric["Namespace"],
            "MetricName": metric["MetricName"],
            "Period": str(period),
            "Stat": stat,
            **{f"Dim.{member['Name']}": member["Value"] for member in metric.get("Dimensions") or ()},
        }

    def _listed(self, namespace: str | None) -> list[Metric]:
        listed: list[Metric] = []
        after: Any = None
        while True:
            page, after = self._ctx.parts.metrics.metrics(
                self._ctx.account,
                self._ctx.region,
                namespace=namespace,
                active_since=self._ctx.now.timestamp() - SEARCHED_SECONDS,
                after=after,
                limit=LIST_PAGE,
            )
            listed += page
            if after is None:
                return listed


def _identity(metric: Metric) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return metric.namespace, metric.name, metric.dimensions


def _merged(held: list[tuple[int, str, Statistics]]) -> dict[int, Statistics]:
    merged: dict[int, Statistics] = {}
    for at, _, each in held:
        if at in merged:
            merged[at].add(each)
        else:
            merged[at] = each
    return merged


def _distinct(metrics: list[Metric]) -> list[str]:
    """What tells the metrics apart: of namespace, dimension values and name, those parts that are not all the same."""
    parts = [(m.namespace, " ".join(value for _, value in m.dimensions), m.name) for m in metrics]
    differing = [place for place in range(3) if len({part[place] for part in parts}) > 1] or [2]
    return [" ".join(part[place] for place in differing if part[place]) for part in parts]

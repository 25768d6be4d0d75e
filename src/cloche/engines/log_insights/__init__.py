"""Logs Insights: queries over log groups, each in a process of its own, and their results.

``queries`` keeps them and is what the service calls, ``running`` begins and watches a process, ``language`` reads a
query's text, ``scan`` is what runs in the process. The server imports neither ``language``, before a query is asked
for, nor ``scan``.
"""

from cloche.engines.log_insights.queries import MIGRATIONS, LogInsights, Query, QueryPlan

__all__ = ["MIGRATIONS", "LogInsights", "Query", "QueryPlan"]

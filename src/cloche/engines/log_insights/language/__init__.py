"""The query language of Logs Insights: text in, a tree of commands out.

The language is docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html. ``tokens`` cuts the text,
``expressions`` and ``commands`` read it, ``syntax`` is the tree. A text that is none is ``QueryError``, with the place.
"""

from cloche.engines.log_insights.language.commands import read_query
from cloche.engines.log_insights.language.tokens import QueryError

__all__ = ["QueryError", "read_query"]

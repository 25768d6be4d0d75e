"""Filter patterns of CloudWatch Logs: which messages match, and what is in their fields. Pure.

``terms`` are words, phrases and expressions in any text; ``json_pattern`` and ``columns`` look into the fields of
JSON messages and of messages cut by spaces; ``comparison`` is what both ask of a field; ``regex`` the expressions
between percent signs. The syntax is that of
docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html.
"""

from cloche.engines.filter_patterns.pattern import FilterPattern, compile_pattern

__all__ = ["FilterPattern", "compile_pattern"]

"""The resource kit: AWS's model interpreted, so that a noun's file holds only that noun's behaviour.

``Resource`` is what a service's file subclasses. ``explain`` tells of any operation what is derived and what is
written. The rest are the kit's own parts: ``family`` (what the model says about a noun), ``projection`` (what
an answer may contain), ``listing`` and ``tokens`` (pages), ``tagging``.
"""

from cloche.aws.errors import Fact, fact
from cloche.aws.resource.explanation import Explanation, explain
from cloche.aws.resource.resource import Resource

__all__ = ["Explanation", "Fact", "Resource", "explain", "fact"]

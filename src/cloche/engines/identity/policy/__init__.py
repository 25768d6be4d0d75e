"""Policy documents: checking, compiling, deciding. Pure: no clock, no storage, no names of services."""

from cloche.engines.identity.policy.document import Document, compile_document
from cloche.engines.identity.policy.evaluate import (
    Decision,
    Outcome,
    Policies,
    Request,
    Source,
    as_context,
    evaluate,
    trust,
)
from cloche.engines.identity.policy.principals import Named, Principal

__all__ = [
    "Decision",
    "Document",
    "Named",
    "Outcome",
    "Policies",
    "Principal",
    "Request",
    "Source",
    "as_context",
    "compile_document",
    "evaluate",
    "trust",
]

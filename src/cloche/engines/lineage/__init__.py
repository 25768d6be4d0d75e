"""The graph of what came from what: edges between records, questions in both directions, and its making.

``edges`` are the associations, ``walking`` answers questions, ``vertices`` tells a record's kind and type, and
``recording`` keeps the graph up with what happens to jobs, models and endpoints.
"""

from __future__ import annotations

from cloche.engines.lineage import edges

MIGRATIONS = [*edges.MIGRATIONS]

__all__ = ["MIGRATIONS", "edges"]

"""S3's event notifications: what happens to objects, told to queues, topics, functions and the default event bus.

``rules`` says who wants what, ``told`` how it is said, ``object_events`` brings both together in the transaction of the
change.
"""

from cloche.engines.object_events.object_events import Bus, ObjectEvents, Outlet
from cloche.engines.object_events.rules import Rule, names_event, overlapping, rules_of

__all__ = ["Bus", "ObjectEvents", "Outlet", "Rule", "names_event", "overlapping", "rules_of"]

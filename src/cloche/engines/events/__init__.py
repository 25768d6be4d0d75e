"""Events: rules over what happens, and its delivery to their targets, at least once."""

from cloche.engines.events.delivery import Parcel, Target
from cloche.engines.events.events import Calls, Events
from cloche.engines.events.happening import Happening
from cloche.engines.events.pattern import Pattern, compile_pattern
from cloche.engines.events.schema import MIGRATIONS

__all__ = ["MIGRATIONS", "Calls", "Events", "Happening", "Parcel", "Pattern", "Target", "compile_pattern"]

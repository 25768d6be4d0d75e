"""Alarms: metrics held against thresholds on the clock, alarms over alarms, and what follows when they ring.

``judging``, ``reasons``, ``windows`` and ``rule`` are pure; ``evaluating`` reads, ``states`` writes; ``watching`` knows
when what is due. ``Alarms`` is what others see.
"""

from cloche.engines.alarms.alarms import Alarms
from cloche.engines.alarms.schema import ALARMS_MAX, KIND, MIGRATIONS

__all__ = ["ALARMS_MAX", "KIND", "MIGRATIONS", "Alarms"]

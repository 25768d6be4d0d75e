"""Application Auto Scaling: capacities that follow metrics and schedules, within bounds.

``deciding``, ``tracking``, ``dimensions``, ``bounds`` and ``words`` are pure; ``triggers`` knows what rings and when
each is looked at, ``round`` is one such look, ``driver`` carries out what came of it. ``AutoScaling`` is what others
see; what it scales and which alarms it reads it is told through ``ports``.
"""

from cloche.engines.autoscaling.autoscaling import AutoScaling
from cloche.engines.autoscaling.schema import ACTION, MIGRATIONS, POLICY, TARGET

__all__ = ["ACTION", "MIGRATIONS", "POLICY", "TARGET", "AutoScaling"]

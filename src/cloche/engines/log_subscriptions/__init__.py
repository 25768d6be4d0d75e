"""Subscription filters: what is appended to a log group, handed to a function as it comes, each event once."""

from cloche.engines.log_subscriptions.schema import MIGRATIONS
from cloche.engines.log_subscriptions.subscriptions import LogSubscriptions, Receiver

__all__ = ["MIGRATIONS", "LogSubscriptions", "Receiver"]

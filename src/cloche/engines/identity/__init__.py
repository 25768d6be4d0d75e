"""Principals, keys and policies: who speaks, and what the stored documents say they may do."""

from cloche.engines.identity.account import AccountIdentity
from cloche.engines.identity.entities import Account, Credentials, Role
from cloche.engines.identity.first_start import EXECUTION_ROLE, EXECUTION_ROLE_PATH
from cloche.engines.identity.identity import NUMBER as ACCOUNT_NUMBER
from cloche.engines.identity.identity import Identity
from cloche.engines.identity.policy import Decision, Outcome
from cloche.engines.identity.schema import MIGRATIONS

__all__ = [
    "ACCOUNT_NUMBER",
    "EXECUTION_ROLE",
    "EXECUTION_ROLE_PATH",
    "MIGRATIONS",
    "Account",
    "AccountIdentity",
    "Credentials",
    "Decision",
    "Identity",
    "Outcome",
    "Role",
]

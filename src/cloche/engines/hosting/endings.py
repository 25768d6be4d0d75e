"""What the log of an instance says last, where its model server ended and nobody had asked it to. Pure.

The description of an endpoint sends people to its log ("Please check CloudWatch logs for this endpoint"), and a process
that is killed, or exits, has said nothing there. In AWS's images gunicorn says it of its workers; here it is said for
any container. The words are Cloche's.
"""

from __future__ import annotations

import signal

from cloche.compute.runtime import Ended, Lost, Observation


def last_words(observed: Observation | None, *, is_unhealthy: bool) -> str:
    """Empty where there is nothing to say. ``is_unhealthy``: if it was stopped, then for answering no pings."""
    match observed:
        case Lost():
            return "The container was killed together with the process that watched over it."
        case Ended(cause="stopped"):
            return "The container answered no health checks any more and was stopped." if is_unhealthy else ""
        case Ended(cause="exited", signal=int(number)):
            hint = ", perhaps for want of memory" if number == signal.SIGKILL else ""
            return f"The container was ended by {_name(number)}{hint}."
        case Ended(cause="exited", exit_code=code):
            return f"The container ended with exit code {code}."
        case Ended(cause="not_started", message=message):
            return f"The container could not be started: {message}"
        case Ended(cause="limit_reached", message=message):
            return f"The container was ended: {message}"
    return ""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""``python -m cloche_jobs.monitor.main``: what the images run.

The message that the job leaves (``/opt/ml/output/message``) becomes its ``ExitMessage``, by which a monitoring
execution is told ``Completed`` from ``CompletedWithViolations``. A failure leaves ``Error: …`` there and exit code 255.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from cloche_jobs import catalog
from cloche_jobs.contract import environment
from cloche_jobs.contract.failure import JobError, UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.monitor.settings import Settings, read_settings

EXIT_FAILED = 255
FIRST_HOST = "algo-1"
"""Of several instances; a machine has one analysis's worth of work."""
log = logging.getLogger("cloche_jobs.monitor")


def main() -> int:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s"
    )
    layout = Layout.here()
    if os.environ.get("CURRENT_HOST", FIRST_HOST) != FIRST_HOST:
        log.info("%s does all the work of this job", FIRST_HOST)
        return 0
    try:
        settings = read_settings(os.environ, layout)
        message = _work(settings)(settings)
    except JobError as error:
        log.error("%s", error.message, exc_info=error.__cause__)
        return _failed(layout, error.message)
    except MemoryError:
        log.exception("out of memory")
        return _failed(layout, "the job ran out of memory")
    except Exception as error:
        log.exception("unexpected failure")
        return _failed(layout, f"{type(error).__name__}: {error}")
    if message is not None:
        _leave(layout, message)
        log.info("%s", message)
    return 0


def _work(settings: Settings) -> Callable[[Settings], str | None]:
    """What is asked for; imported when it is."""
    kind = settings.get("analysis_type") or "DATA_QUALITY"
    if os.environ.get(environment.IMAGE) == catalog.MERGER or kind == "MERGE":
        from cloche_jobs.monitor import merge

        return merge.run
    if kind == "MODEL_QUALITY":
        from cloche_jobs.monitor import model_quality

        return model_quality.run
    if kind == "DATA_QUALITY":
        from cloche_jobs.monitor import data_quality

        return data_quality.run
    raise UserError(f"analysis_type {kind[:100]!r} is not one of DATA_QUALITY, MODEL_QUALITY, MERGE")


def _failed(layout: Layout, message: str) -> int:
    _leave(layout, f"Error: {message}")
    return EXIT_FAILED


def _leave(layout: Layout, message: str) -> None:
    layout.output.mkdir(parents=True, exist_ok=True)
    (layout.output / "message").write_text(message, encoding="utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main())

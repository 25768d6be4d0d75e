"""What happens after each boosting round: the log line, a checkpoint, the order to stop.

The library counts from 0 again when it goes on with an earlier model; lines and files here count on.

Source of the checkpoint's names and number: ``checkpointing.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from xgboost import collective

from cloche_jobs.algorithms.xgboost.engine import numpy, save, xgboost

CHECKPOINT: Final = "xgboost-checkpoint"
CHECKPOINTS_KEPT: Final = 5


class InOrder(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """All of ``callbacks``, in their order, every round.

    The library keeps callbacks in a set and asks no further one once one has ended the training: by chance the last
    round was then not printed, or one of several hosts waited for the others for ever.
    """

    def __init__(self, callbacks: Sequence[Any]) -> None:
        super().__init__()
        self.callbacks = callbacks

    def before_training(self, model: Any) -> Any:
        for each in self.callbacks:
            model = each.before_training(model=model)
        return model

    def after_training(self, model: Any) -> Any:
        for each in self.callbacks:
            model = each.after_training(model=model)
        return model

    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        answers = [each.before_iteration(model, epoch, evals_log) for each in self.callbacks]
        return any(answers)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        answers = [each.after_iteration(model, epoch, evals_log) for each in self.callbacks]
        return any(answers)


class Printer(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """``[3]<tab>train-auc:0.98765<tab>validation-auc:0.98123`` on standard output, at once."""

    def __init__(self, shown: Callable[[float], str], rounds_done: int) -> None:
        super().__init__()
        self.shown, self.rounds_done = shown, rounds_done

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        scores = (
            f"\t{data}-{metric}:{self.shown(values[-1])}"
            for data, metrics in evals_log.items()
            for metric, values in metrics.items()
        )
        print(f"[{self.rounds_done + epoch}]{''.join(scores)}", flush=True)
        return False


class StopOnTerm(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """After SIGTERM the round under way is finished, then training ends and the model so far is saved. Of several hosts
    all end after the same round."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = True

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        if collective.is_distributed():
            asked = numpy.array([int(self.asked)], dtype=numpy.int32)
            self.asked = bool(collective.allreduce(asked, collective.Op.MAX)[0])
        return self.asked


class Checkpoints(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """A file each round in the folder that CheckpointConfig has made, the last few of them kept."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        found = [
            (int(match[1]), path)
            for path in folder.iterdir()
            if (match := re.fullmatch(rf"{CHECKPOINT}\.([0-9]{{1,9}})", path.name))
        ]
        self.latest = max(found, default=None)

    @property
    def rounds_done(self) -> int:
        return 0 if self.latest is None else self.latest[0] + 1

    @property
    def model(self) -> str | None:
        """The file to go on from, if there is one."""
        return None if self.latest is None else str(self.latest[1])

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        number = self.rounds_done + epoch
        save(model, self.folder / f"{CHECKPOINT}.{number}")
        (self.folder / f"{CHECKPOINT}.{number - CHECKPOINTS_KEPT}").unlink(missing_ok=True)
        return False

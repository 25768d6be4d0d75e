"""The program: ``python -I -S feed.py ORDERS``, run by the runner of a transform job beside its model servers.

It waits until they answer, sends them what ``ORDERS`` says, and tells the runner that the work is done by the file that
the variable ``CLOCHE_DONE`` names, or that it cannot go on by ``CLOCHE_FAILURE``. See ``ProcessSpec.companions``.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cloche_jobs.transform.asking import manner_of, wait_until_ready
from cloche_jobs.transform.batch import Orders
from cloche_jobs.transform.working import Journal, Work, begin_out

DONE, FAILURE = "CLOCHE_DONE", "CLOCHE_FAILURE"


def tell(variable: str, text: str) -> None:
    """Whole or not at all."""
    path = Path(os.environ[variable])
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)


def fail(kind: str, text: str) -> None:
    """``kind``: whose fault, in AWS's words."""
    tell(FAILURE, f"{kind}: {text}")
    os._exit(1)


def work_of(orders: Orders, journal: Journal, number: int) -> None:
    server = orders.servers[number]
    try:
        if not all(wait_until_ready(socket, orders.startup_seconds) for socket in server.sockets):
            fail("AlgorithmError", f"the model did not answer /ping with 200 within {orders.startup_seconds:g} seconds")
        manner = manner_of(server.sockets[0], orders)
        journal.say(str(manner))
        Work(orders, server.sockets, manner, journal).run(server.files)
    except Exception as error:
        fail("InternalServerError", f"{type(error).__name__}: {error}")


def main(path: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the model's notice, not ours
    gc.disable()  # rows by the ten thousand, and no cycles: looking for some takes longer than all that is done here
    orders = Orders.read(Path(path))
    begin_out(orders)
    journal = Journal(orders)
    threads = [
        threading.Thread(target=work_of, args=(orders, journal, number)) for number in range(len(orders.servers))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    tell(DONE, "")


if __name__ == "__main__":
    main(sys.argv[1])

"""The main job, run as a user runs it: on the bundled data, on a file of one's own, on a terminal, interrupted."""

from __future__ import annotations

import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAIN = str(ROOT / "examples" / "train_and_deploy" / "main.py")
CLOCHE = str(Path(sys.executable).with_name("cloche"))
WAIT_SECONDS_MAX = 240

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]


def environment(**changes: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLOCHE_")) and k != "CI"}
    return {**kept, **changes}


def demo(data: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, MAIN, "--data", str(data), "--port", "20000", "--days", "0", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(**changes), timeout=WAIT_SECONDS_MAX, check=False
    )


def left_behind(data: Path) -> list[str]:
    """Command lines of processes that still name the demo's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(data) in words:
                found.append(words)
    return found


def assert_nothing_is_left(data: Path) -> None:
    deadline = time.monotonic() + 20
    while found := left_behind(data):  # a runner that was told to end needs a moment to write down how
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_the_main_job(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = demo(data, "--stop")
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "validation logloss by round" in said and "█" in said
    held_out = re.search(r"114 rows, held-out AUC (0\.\d+)", said)
    assert held_out and float(held_out[1]) > 0.95
    difference = re.search(r"largest difference to the artefact's own predictions: (\S+)", said)
    assert difference and float(difference[1]) <= 1e-6
    script = said.partition("scikit-learn script")[2]
    assert "Completed - Training job completed" in script
    scored = re.search(r"validation:auc\s+(0\.\d+|1\.0+)", script)
    assert scored and float(scored[1]) > 0.95
    the_churn_case(said.partition("the churn case")[2])
    assert "Cloche is stopped" in said
    assert_nothing_is_left(data)
    again = demo(data, "--csv", str(tmp_path / "none.csv"), "--label", "x", "--stop")  # on the same folder, anew
    assert again.returncode != 0 and "none.csv cannot be read" in again.stderr
    assert_nothing_is_left(data)


def the_churn_case(said: str) -> None:
    """A pipeline ran, ran out of its cache, and into its threshold; the approved model answers as was reported."""
    first, _, rest = said.partition("the same again")
    second, _, rest = rest.partition("with a threshold that nothing reaches")
    third, _, last = rest.partition("the model is approved")
    for step in ("Prepare", "Tune", "Evaluate", "GoodEnough", "Register-RegisterModel"):
        assert re.search(rf"{step}\s+Succeeded$", first, re.MULTILINE), first
    assert second.count("(out of the cache)") == 3 and "has succeeded" in second, second
    assert "Failed: The AUC on unseen customers is below 0.999" in third and "has failed" in third, third
    reported = re.search(r"registered model-package/churn-models/1, AUC (0\.\d+)", first)
    answered = re.search(r"AUC over \d+ answers of the endpoint: (0\.\d+)", last)
    assert reported and answered and reported[1] == answered[1] and float(reported[1]) > 0.8, said


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic file of a user's own: 300 rows, three numbers (some missing), a label of two words. Seeded."""
    numbers = random.Random(7)
    lines = ["age,income,verdict,visits"]
    for _ in range(300):
        age, income, visits = numbers.uniform(18, 90), numbers.gauss(30, 9), numbers.randrange(20)
        verdict = "stays" if age + income + numbers.gauss(0, 8) > 85 else "leaves"
        lines.append(f"{age:.1f},{income:.2f},{verdict},{visits if visits else ''}")
    path = tmp_path_factory.mktemp("table") / "customers.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_of_ones_own_with_a_label_in_words(tmp_path: Path, table: Path) -> None:
    data = tmp_path / "data"
    done = demo(data, "--csv", str(table), "--label", "verdict", CI="true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "customers.csv (verdict = 'stays')" in done.stdout and "3 features" in done.stdout
    assert "Cloche is stopped" in done.stdout  # under CI=true, unasked
    assert_nothing_is_left(data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "{table}", "--label", "colour"], "no column 'colour'; its columns are age, income, verdict, visits"),
        (["--csv", "{table}", "--label", "visits"], "this demo trains on labels of two"),
        (["--csv", "{table}"], "--csv and --label go together"),
    ],
    ids=["wrong column", "many labels", "no label"],
)
def test_a_table_that_does_not_fit_is_refused_with_its_reason(
    tmp_path: Path, table: Path, arguments: list[str], message: str
) -> None:
    data = tmp_path / "data"
    done = demo(data, *[word.format(table=table) for word in arguments], "--stop")
    assert done.returncode != 0 and message in done.stderr, done.stdout + done.stderr
    assert_nothing_is_left(data)


def test_a_folder_that_is_not_cloches_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = demo(tmp_path, "--stop")
    assert done.returncode != 0 and "is not empty and holds no Cloche" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


class Terminal:
    """The demo on a terminal of its own."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.process, self.screen = pty.fork()
        if self.process == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # as a shell starts it, whatever the tests were started with
            command = [sys.executable, MAIN, "--data", str(data), "--port", "21000", *arguments]
            os.execve(sys.executable, command, environment(TERM="xterm", COLUMNS="120"))
        self.shown = ""

    def read_until(self, text: str | None) -> str:
        """What was shown so far, once ``text`` is in it (or, for ``None``, once the demo has ended)."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while text is None or text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.screen], [], [], 1)[0]:
                try:
                    self.shown += os.read(self.screen, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    assert text is None, self.shown
                    break
        return self.shown

    def ended(self) -> int:
        self.read_until(None)
        os.close(self.screen)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def test_on_a_terminal_it_leaves_cloche_running(tmp_path: Path, table: Path) -> None:
    data = tmp_path / "data"
    terminal = Terminal(data, "--csv", str(table), "--label", "verdict")
    try:
        assert terminal.ended() == 0, terminal.shown
        assert "Cloche is still running" in terminal.shown and "?token=" in terminal.shown
        status = subprocess.run([CLOCHE, "status", "--data", str(data)], capture_output=True, text=True, check=True)
        assert "127.0.0.1" in status.stdout
    finally:
        subprocess.run([CLOCHE, "down", "--all", "--data", str(data)], check=True, capture_output=True)
    assert_nothing_is_left(data)


@pytest.mark.parametrize("moment", ["ready after", "Training in progress", "InService after"])
def test_interrupted_it_ends_what_it_started(tmp_path: Path, moment: str) -> None:
    data = tmp_path / "data"
    terminal = Terminal(data)
    terminal.read_until(moment)
    os.write(terminal.screen, b"\x03")  # Ctrl+C, as a terminal sends it
    assert terminal.ended() == 130, terminal.shown
    assert "interrupted" in terminal.shown and "Traceback" not in terminal.shown
    assert_nothing_is_left(data)


def test_terminated_it_ends_what_it_started(tmp_path: Path) -> None:
    data = tmp_path / "data"
    terminal = Terminal(data)
    terminal.read_until("Training in progress")
    os.kill(terminal.process, signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM, terminal.shown
    assert "server.log" in terminal.shown
    assert_nothing_is_left(data)

"""Coverage-guided fuzzing of one harness:

    python tests/fuzz/run.py json --seconds 300 [--keep FOLDER]

New inputs are kept in ``--keep`` (a folder of your own; the corpus in the repository is read and never written).
A finding ends the run with its trace and leaves the input beside the kept ones as ``crash-…``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import atheris

HERE = Path(__file__).parent
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py"))
RSS_MIB_MAX = 700
SECONDS_PER_INPUT_MAX = 10


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("target", choices=TARGETS)
    asked.add_argument("--seconds", type=int, default=60)
    asked.add_argument("--keep", type=Path)
    options = asked.parse_args()
    keep = options.keep or Path(tempfile.mkdtemp(prefix=f"cloche-fuzz-{options.target}-"))
    keep.mkdir(parents=True, exist_ok=True)
    sys.path[:0] = [str(HERE)]
    with atheris.instrument_imports(include=["cloche", "cloche_jobs", "tarfile"]):
        harness = import_module(f"fuzz_{options.target}")
        for first in (b"", b"\1"):  # what is loaded when it is wanted first takes no input's time, and is instrumented
            harness.one(first)
    flags = [
        f"-max_total_time={options.seconds}",
        f"-timeout={SECONDS_PER_INPUT_MAX}",
        f"-rss_limit_mb={RSS_MIB_MAX}",
        f"-artifact_prefix={keep}/",
        "-max_len=4096",
        "-print_final_stats=1",
    ]
    folders = [str(keep), *(str(path) for path in [HERE / "corpus" / options.target] if path.is_dir())]
    atheris.Setup([sys.argv[0], *flags, *folders], harness.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""An interpreter that stands by: it imports what a job will need before there is a job, then becomes that job.

    python -P standby.py MODULES DESCRIPTOR        MODULES are names with commas between them, or ``-``

One document (``marshal``'s) comes through the descriptor: ``argv``, ``environment``, ``directory``, ``limits``,
``prefix``. From then on this is ``python -m MODULE …``, ``python -c CODE …`` or ``python SCRIPT …`` as if it had been
started so: the same environment, arguments, folder, limits, import path and ``__main__``. It serves one job and ends
with it.

Every job pays for what is imported here: ``json``, ``pathlib`` and ``runpy`` would take longer than the interpreter.
"""

import marshal
import os
import resource
import sys

OPTIONS = ("-P", "-u")


def main() -> None:
    modules, descriptor = sys.argv[1], int(sys.argv[2])
    for name in () if modules == "-" else modules.split(","):
        __import__(name)
    with os.fdopen(descriptor, "rb") as told:
        order = told.read()
    if order:
        become(marshal.loads(order))  # noqa: S302 - from our own server


def become(order: dict[str, object]) -> None:
    """Run ``order``. Returns, raises ``SystemExit`` or ends as its program does."""
    argv, environment, limits = order["argv"], order["environment"], order["limits"]
    assert isinstance(argv, list) and isinstance(environment, dict) and isinstance(limits, dict)
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(order["directory"]))
    if order["prefix"]:
        move_to(str(order["prefix"]))
    options, words = _parted(argv[1:])
    if words[0] == "-m":
        import runpy

        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        _run_as_main(words[1], "<string>")
        return
    if "-P" not in options:
        sys.path.insert(0, os.path.dirname(os.path.realpath(words[0])))  # noqa: PTH120
    sys.argv = words
    _run_as_main(_read(words[0]), words[0])


def move_to(prefix: str) -> None:
    """Be an interpreter of the virtual environment at ``prefix``, which stands on the one this was started in: its
    packages win, and what is installed goes there."""
    packages = f"{prefix}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    first = next((number for number, each in enumerate(sys.path) if each.endswith("site-packages")), len(sys.path))
    sys.path.insert(first, packages)
    sys.executable = f"{prefix}/bin/python3"
    sys.prefix = sys.exec_prefix = prefix


def _parted(words: list[str]) -> tuple[list[str], list[str]]:
    """(the interpreter's own options, what follows)."""
    count = next(number for number, word in enumerate(words) if word not in OPTIONS)
    return words[:count], words[count:]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError as error:
        why = f"[Errno {error.errno}] {error.strerror}"
        print(f"{sys.executable}: can't open file {os.path.join(os.getcwd(), path)!r}: {why}", file=sys.stderr)  # noqa: PTH109, PTH118
        sys.exit(2)


def _run_as_main(source: str | bytes, path: str) -> None:
    """Its module is the real ``__main__``, and a traceback begins with its own first line."""
    module = type(sys)("__main__")
    if path != "<string>":
        module.__file__ = path
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    try:
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - what this is for
    except SystemExit:
        raise
    except BaseException as error:
        assert error.__traceback__ is not None
        error.__traceback__ = error.__traceback__.tb_next
        sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.flush()
        sys.exit(1)


if __name__ == "__main__":
    main()

"""The XGBoost library, imported lean, and the shortest way to a prediction.

``import xgboost`` pulls in pandas and scikit-learn when they are installed, four fifths of its time, to accept data
frames and to offer estimator classes. A built-in job needs neither, so both are hidden while it loads, and pandas again
wherever a matrix is made: the library would load it to ask whether an array is a data frame (0.2 s, a third of a small
job). User scripts never come here: they import what they like in a process of their own.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloche_jobs.algorithms.xgboost import older

_HEAVY = ("pandas", "sklearn")


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    absent = [name for name in names if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


# Idle OpenMP threads that spin instead of sleeping make a shared machine several times slower (measured: 3.0 s against
# 1.2 s for 100 small rounds with both cores busy elsewhere). The library reads this when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

with _hidden(_HEAVY):
    import numpy
    import xgboost

__all__ = ["Array", "Predictor", "first_paragraph", "load", "matrix", "numpy", "save", "xgboost"]

Array = Any  # numpy.ndarray; numpy is not installed where the types are checked


def matrix(rows: Any, **about: Any) -> Any:
    """``xgboost.DMatrix`` of arrays; ``about`` are its further arguments (``label``, ``weight``, ``nthread``)."""
    with _hidden(_HEAVY):
        return xgboost.DMatrix(rows, **about)


def save(booster: Any, path: Path, *, pickled: bool = False) -> None:
    """Write ``booster`` as UBJSON, or as a pickled ``Booster``; whole or not at all.

    A file without extension in that form is read by ``Booster().load_model`` of every version from 1.6 on, which
    the binary form that AWS's 1.7-1 writes is not (3.1 has dropped it).
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_pickle_of(booster) if pickled else booster.save_raw(raw_format="ubj"))
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _pickle_of(booster: Any) -> bytes:
    import pickle

    with _hidden(_HEAVY):
        return pickle.dumps(booster)


def load(path: Path) -> Any:
    """A booster from any form AWS's images have written: UBJSON, JSON, binary, or a pickled ``Booster``.

    Raises ``RuntimeError`` with the reasons when no way works. A pickle is not offered to the library, which takes some
    of its bytes for a length and may be a minute about filling that much memory before it refuses.
    """
    reasons = []
    for way in (_unpickled,) if _is_pickle(path) else (_loaded, _unpickled):
        try:
            booster = way(path)
        except Exception as error:
            reasons.append(f"{way.__name__.strip('_')}: {first_paragraph(error)}")
            continue
        booster.set_param({"nthread": 1})
        return booster
    raise RuntimeError(f"Model {path} cannot be loaded:\n" + "\n".join(reasons))


def _is_pickle(path: Path) -> bool:
    """Whether it begins with a pickle's protocol (2 to 5) and ends with its full stop."""
    with path.open("rb") as stream:
        if stream.read(2) not in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"."


def _loaded(path: Path) -> Any:
    booster = xgboost.Booster()
    booster.load_model(str(path))
    return booster


def _unpickled(path: Path) -> Any:
    import pickle

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return _OfAnyAge if (module, name) == ("xgboost.core", "Booster") else super().find_class(module, name)

    with path.open("rb") as stream:
        booster = Unpickler(stream).load()  # the job's own sandbox is what a model file may run in
    if not isinstance(booster, xgboost.Booster):
        booster = booster.get_booster()
    return booster


class _OfAnyAge(xgboost.Booster):  # type: ignore[misc]
    """A ``Booster`` that is also made of what 0.90 and before it pickled: the model as ``save_raw`` wrote it.

    From 1.0 on a pickle holds a snapshot, which begins with ``CONFIG-offset:`` or, as JSON, with a brace (``Load`` in
    XGBoost's ``src/learner.cc``); the library refuses to restore one without, and so do images of 1.0 and later. Where
    training stopped early, the best round is an attribute of the model itself (``set_attr`` in 0.90's ``callback.py``).
    """

    def __setstate__(self, state: dict[str, Any]) -> None:
        held = state.get("handle")
        if held and not held.startswith((b"{", b"CONFIG-offset:")) and older.reads_plain_pickles():
            super().__init__(model_file=bytearray(held))
        else:
            super().__setstate__(state)


def first_paragraph(error: BaseException) -> str:
    """The library's message without its C++ stack trace."""
    return str(error).split("\n\nStack trace", 1)[0].split("\nStack trace", 1)[0].strip()


def _predict_function(proxy: ctypes.c_void_p) -> Any:
    """The C function, or ``None`` in a library without it; ``proxy`` becomes what it reads its rows through."""
    library = xgboost.core._LIB
    try:
        call = library.XGBoosterPredictFromDense
        if library.XGProxyDMatrixCreate(ctypes.byref(proxy)) != 0:
            return None
    except AttributeError:
        return None
    call.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p] + [ctypes.c_void_p] * 4
    return call


def _described(address: int, count: int, columns: int) -> bytes:
    """Rows of float32 at ``address``, as numpy's array interface has them."""
    return b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f4","version":3}' % (address, count, columns)


class Predictor:
    """Predictions of one booster, equal to ``Booster.predict`` and quicker for few rows.

    The library's own Python layers cost six times what the prediction of a row does, so the C function behind
    ``inplace_predict`` is called straight. Whether it agrees with ``predict`` for this model is tried once, at the
    start; where it does not (linear boosters have no such way), ``predict`` does the work. Not thread-safe.
    """

    def __init__(self, booster: Any) -> None:
        self.booster = booster
        self.features = int(booster.num_features())
        best = booster.attr("best_iteration")
        self.end = int(best) + 1 if best is not None else 0
        self._options = json.dumps(
            {
                "type": 0,
                "training": False,
                "iteration_begin": 0,
                "iteration_end": self.end,
                "missing": float("nan"),
                "strict_shape": False,
                "cache_id": 0,
            }
        ).encode()
        self._shape = ctypes.POINTER(ctypes.c_uint64)()
        self._dimensions = ctypes.c_uint64()
        self._values = ctypes.POINTER(ctypes.c_float)()
        self._out = tuple(ctypes.addressof(each) for each in (self._shape, self._dimensions, self._values))
        self._proxy = ctypes.c_void_p()
        self._row = array("f", bytes(4 * self.features))
        """Rows that come alone are put there, so that what describes them is always the same."""
        self._row_described = _described(self._row.buffer_info()[0], 1, self.features)
        self._call = _predict_function(self._proxy)
        if not self._agrees():
            self._call = None

    def predict_row(self, values: Sequence[float]) -> list[Any]:
        """The same as ``predict(…).tolist()`` for one row, without arrays on the way where that is possible."""
        if self._call is None or len(values) != self.features:
            answer: list[Any] = self.predict(numpy.array([values], dtype=numpy.float32)).tolist()
            return answer
        self._row[:] = array("f", values)
        self._ask(self._row_described)
        if self._dimensions.value == 1:
            return self._values[: self._shape[0]]
        return [self._values[: self._shape[1]]]

    def predict(self, rows: Array) -> Array:
        """One value or one row of values for each row; ``rows`` is float32, NaN where a value is missing.

        Raises ``ValueError`` when there are more columns than the model has features; missing columns at the end
        are missing values. Raises the library's error for what the model itself refuses.
        """
        rows = self._fitted(rows)
        if self._call is None:
            return self._by_matrix(rows)
        return self._direct(rows)

    def _fitted(self, rows: Array) -> Array:
        count, columns = rows.shape
        if columns > self.features:
            raise ValueError(
                f"Feature size of inference data {columns} is larger than feature size of trained model "
                f"{self.features}."
            )
        if columns < self.features:
            full = numpy.full((count, self.features), numpy.nan, dtype=numpy.float32)
            full[:, :columns] = rows
            return full
        return numpy.ascontiguousarray(rows, dtype=numpy.float32)

    def _by_matrix(self, rows: Array) -> Array:
        of_rows = matrix(rows, nthread=1)
        return self.booster.predict(of_rows, iteration_range=(0, self.end), validate_features=False)

    def _direct(self, rows: Array) -> Array:
        self._run(rows.ctypes.data, *rows.shape)
        shape = tuple(self._shape[: self._dimensions.value])
        return numpy.ctypeslib.as_array(self._values, shape).copy()

    def _run(self, address: int, count: int, columns: int) -> None:
        """Predict for ``count`` rows of float32 at ``address``; the answer lies in ``_shape`` and ``_values``."""
        self._ask(_described(address, count, columns))

    def _ask(self, described: bytes) -> None:
        assert self._call is not None
        if self._call(self.booster.handle, described, self._options, self._proxy, *self._out) != 0:
            raise xgboost.core.XGBoostError(xgboost.core._LIB.XGBGetLastError().decode("utf-8", "replace"))

    def _agrees(self) -> bool:
        if self._call is None or not self.features:
            return False
        rows = numpy.linspace(-3, 3, 5 * self.features, dtype=numpy.float32).reshape(5, self.features)
        rows[1, ::2] = numpy.nan
        try:
            direct, expected = self._direct(rows), self._by_matrix(rows)
            row = self.predict_row(rows[1].tolist())
        except xgboost.core.XGBoostError:
            return False
        same: bool = direct.shape == expected.shape and bool(numpy.array_equal(direct, expected))
        return same and row == expected[1:2].tolist()

"""What goes into a pipeline and what comes out, in JSON, CSV, npy, pictures and sounds.

Source: ``decoder_encoder.py`` and ``content_types.py`` of aws/sagemaker-huggingface-inference-toolkit.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any, Final

from cloche_jobs.frameworks.hooks import UnsupportedFormatError

_PICTURES: Final = frozenset(f"image/{kind}" for kind in ("jpeg", "png", "tiff", "bmp", "gif", "webp", "x-image"))
_SOUNDS: Final = frozenset(f"audio/{kind}" for kind in ("x-flac", "mpeg", "wave", "ogg", "x-audio"))
_NESTED: Final = ("zero-shot-classification", "table-question-answering")


def read(data: Any, content_type: str, task: str) -> Any:
    """A document with ``inputs``. Raises ``UnsupportedFormatError`` and ``ValueError``."""
    if content_type == "application/json":
        return json.loads(data)
    if content_type == "text/csv":
        if task in _NESTED:
            raise ValueError(f"content type {content_type} not support with {task}, use different content_type")
        return _of_csv(data)
    if content_type == "application/x-npy":
        import numpy

        return numpy.load(io.BytesIO(data), allow_pickle=False)
    if content_type in _PICTURES:
        from PIL import Image

        return {"inputs": Image.open(io.BytesIO(data)).convert("RGB")}
    if content_type in _SOUNDS:
        return {"inputs": bytes(data)}
    raise UnsupportedFormatError(content_type)


def written(prediction: Any, accept: str) -> bytes | str:
    """``prediction`` in the form asked for. Raises ``UnsupportedFormatError`` and ``ValueError``."""
    if accept == "application/json":
        return json.dumps(prediction, ensure_ascii=False, allow_nan=False, default=_plain, separators=(",", ":"))
    if accept == "text/csv":
        rows = prediction if isinstance(prediction, list) else list(prediction)
        lines = io.StringIO()
        writer = csv.DictWriter(lines, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
        return lines.getvalue()
    stream = io.BytesIO()
    if accept == "application/x-npy":
        import numpy

        numpy.save(stream, prediction, allow_pickle=False)
    elif accept in _PICTURES:
        prediction.save(stream, format="PNG" if accept == "image/x-image" else accept.partition("/")[2].upper())
    else:
        raise UnsupportedFormatError(accept)
    return stream.getvalue()


def _of_csv(text: str) -> dict[str, Any]:
    first = text.partition("\n")[0].lower()
    if not any(name in first for name in ("question", "context", "inputs")):
        wanted = "You need to provide the correct CSV with Header columns to use it with"
        raise ValueError(f"{wanted} the inference toolkit default handler.")
    rows = list(csv.DictReader(io.StringIO(text)))
    return {"inputs": [row["inputs"] for row in rows] if rows and "inputs" in rows[0] else rows}


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "save") and hasattr(value, "convert"):  # a picture
        stream = io.BytesIO()
        value.save(stream, format="PNG")
        return base64.b64encode(stream.getvalue()).decode()
    return str(value)

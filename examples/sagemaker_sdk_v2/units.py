"""The first container of a serial model: rows of CSV in tenths become rows in units. There is no model to load."""


def model_fn(model_dir):
    return None


def transform_fn(model, body, content_type, accept):
    text = body.decode() if isinstance(body, bytes) else body
    rows = ([float(cell) / 10 for cell in line.split(",")] for line in text.split("\n") if line)
    return "".join(",".join(map(repr, row)) + "\n" for row in rows), "text/csv"

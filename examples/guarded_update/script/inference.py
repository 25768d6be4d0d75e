"""A model without training: it answers with the word that its environment has for it."""

import os


def model_fn(model_dir):
    return os.environ["WORD"]


def transform_fn(model, body, content_type, accept):
    return model, "text/plain"

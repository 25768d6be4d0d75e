"""Imported by AWS's public scripts and used by none of them."""


def __getattr__(name: str) -> object:
    raise AttributeError(f"sagemaker_containers.beta.framework.transformer.{name} is not supported by Cloche")

"""Validation of model packages: a transform job over a model made of the package, which decides what the package is.

``Validations`` is the face; ``machine`` the states, which are those of the package.
"""

from cloche.engines.package_validation.validations import Plan, Validations

__all__ = ["Plan", "Validations"]

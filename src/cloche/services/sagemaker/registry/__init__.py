"""The model registry: groups of model packages, their versions and approvals, and how a package becomes a model."""

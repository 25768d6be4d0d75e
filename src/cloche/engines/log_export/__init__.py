"""Exports of log groups to S3: tasks under a lifecycle, written as compressed objects."""

from cloche.engines.log_export.exports import ExportPlan, LogExports

__all__ = ["ExportPlan", "LogExports"]

"""What scripts call before their hosts meet."""

from cloche_jobs.toolkits.hosts import wait_for_hosts as _wait_hostname_resolution

__all__ = ["_wait_hostname_resolution"]

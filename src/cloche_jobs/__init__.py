"""What runs inside a job process. Knows only the job contract; imports nothing of ``cloche``."""

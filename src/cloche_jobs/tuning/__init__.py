"""The search of a tuning job: where the next trial should be, given those that were."""

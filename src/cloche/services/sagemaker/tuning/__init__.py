"""Automatic model tuning: the tuning job, and the training jobs it launched."""

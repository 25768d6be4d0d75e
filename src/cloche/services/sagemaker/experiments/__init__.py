"""Experiments, trials and trial components: what was tried, with which parameters, and what came of it."""

"""Script mode: the user's program runs, the framework only hands it what it needs."""

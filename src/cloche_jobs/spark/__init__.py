"""Spark as processing jobs have it: on the one machine there is."""

"""What runs in a query's own process: the query made into Python, and the files of logs read through it once.

``values`` says what a value is, ``functions`` what can be made of it, ``program`` turns commands into code,
``aggregates`` and ``ordering`` keep what stays of the events, ``stages`` puts one after the other, ``segments`` reads,
``process`` is the program itself. Nothing here is imported by the server.
"""

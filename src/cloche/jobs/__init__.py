"""What every batch job has in common, whatever it computes: floor between ``lifecycle`` and the engines.

``hosts`` it runs on, ``place`` of its files, one of the machine's ``places``; its ``inputs`` in S3, the ``sources``
these stand for, staged as files (``staging``) or streamed (``pipes``); its output ``following`` into CloudWatch, its
``utilization``; ``folders`` kept alike with S3 while it runs; its ``ending``, and the ``cleaning`` after it.
What it read is noted (``reading``). ``outside`` is what the server hands in, ``equipment`` what the engines share.
Nothing here knows an engine's plan: each says in these words what it wants done.
"""

"""What feeds a model server with a batch: run beside it, as a companion outside its sandbox, by the standard library.

``feed`` is the program. ``splitting`` cuts files into payloads, ``selecting`` knows AWS's JSONPath, ``records`` reads
and writes CSV and JSON, ``joining`` makes of a payload and its answer what is written, ``asking`` speaks to the model,
``blaming`` finds the line at fault, ``batch`` is what it is all about, ``working`` puts it together, file by file.
"""

"""Search over everybody's records: AWS's filter grammar, answered by the database.

``properties`` turns a property's name into SQL, guided by the shape of what is found; ``conditions`` turns filters
into a WHERE; ``resources`` knows the nouns; ``search`` and ``suggestions`` are the operations.
"""

"""A model server as a process of the compute backend: what hosting and batch transform have in common.

``model`` is what is to be served, ``laying_out`` makes its folder, ``process`` says how it is started, ``sockets``
where it listens. Who starts it, asks it and ends it is the engines' affair.
"""

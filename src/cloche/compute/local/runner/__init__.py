"""The small program between the server and one process. It runs by itself; the standard library alone.

``outside`` starts what ``spec`` in its folder says, copies what it prints into ``output``, ends it when its time is up
or a stop is asked for, and writes ``outcome.json``. It is the head of a session of its own and outlives the server.
A process may run on several hosts: ``host`` is one of them, ``network`` the networks they meet in, ``netlink`` what
these are made with. ``holding`` is how a host's process is held: in a sandbox, or plainly. ``inside`` is the other half
of a sandbox, process 1 of the job's namespace; ``enclosing`` makes one without bubblewrap. ``groups`` and ``landlock``
are limits that the kernel holds, ``keyring`` keeps its keys from a job. ``launching`` is what both halves share,
``measuring`` how much a process takes up.

Everything it touches loads in milliseconds, and is little, for each fork has to share it out. That is why ``spec`` is
in ``marshal``'s form (written and read by the same interpreter), why ``json``, ``typing``, ``signal`` and ``socket``
(but for the C halves of these two) are not imported, why imports in here are relative, and why the server runs a
compiled copy of this package (``sandbox.compiled_runner``).
"""

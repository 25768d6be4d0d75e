"""How one host of a job starts programs on another: AWS's containers run ``sshd`` for that.

Hosts are sandboxes on one machine, and share one folder. In it each host that waits for orders has a Unix socket
(``listen``). Whoever wants a command run there (``call``, which takes the command line of ``ssh``) hands over his
standard streams with it, so that what the command prints goes where the caller's own output goes, without a copy. No
port is opened and no key is needed: nobody but the job has the folder. The standard library alone, and no import of
Cloche's: both run as plain files, whatever ``PYTHONPATH`` a job has.
"""

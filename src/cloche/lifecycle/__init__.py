"""Long-running things: state tables, leases, and the reconciler that steps them.

A thing (a training job, an endpoint) is a row: its state, its document, when to look at it again. What may
follow what is a table in one file per lifecycle; what a state demands to be done is its driver's ``work``. The
reconciler claims a row with a lease, calls ``work`` outside any transaction, and applies the event it answers
only if the lease still holds. So a crash between any two steps repeats the step, never skips it: ``work`` must
be repeatable.
"""

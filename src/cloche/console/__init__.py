"""The console: pages over the same operations as any client's. No build step, nothing fetched from elsewhere.

It has no private way in: everything it shows is the answer to an operation, asked through the port that enters the
chain after parsing, as the account's root. What is its own is the door: the link with a token that ``cloche up``
prints, a cookie that only this origin sends back, and a content policy that lets no other script in.
"""

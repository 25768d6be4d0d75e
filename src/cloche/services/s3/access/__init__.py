"""Who may do what in S3: owners, access control lists, public-access blocks, bucket policies, and the decision.

``authorizer.authorize`` is what the server's chain asks for every request; the rest are its parts, pure where they
can be.
"""

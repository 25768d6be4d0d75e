"""Who sent a request, and is it what they sent: Signature Version 4 in all the forms clients use.

``sigv4`` verifies the Authorization header, ``presigned`` the query form, ``chunked`` the bodies whose chunks or
trailers are checked while they arrive. ``refusals`` says each refusal in the words of the service asked.
"""

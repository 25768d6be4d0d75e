"""Browser forms that upload an object: ``POST`` of multipart/form-data to a bucket.

``reader`` takes the form apart while it arrives, ``policy`` holds it to the policy that it carries, ``upload`` says
what it uploads and what its sender is answered.
"""

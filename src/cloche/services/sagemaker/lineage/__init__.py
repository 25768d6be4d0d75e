"""Lineage: artifacts, actions, contexts and the associations between them."""

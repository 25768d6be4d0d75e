"""Processing jobs as the API has them."""

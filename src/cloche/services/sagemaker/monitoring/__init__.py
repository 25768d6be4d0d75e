"""Model Monitor as the API has it."""

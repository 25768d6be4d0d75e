"""Statistics that jobs compute over data and predictions. Importable from every script in AWS's framework images."""

"""XGBoost script mode: training is ``frameworks.script``, serving is here."""

"""The modules that AWS's scripts for scikit-learn and XGBoost import, most of them without using them."""

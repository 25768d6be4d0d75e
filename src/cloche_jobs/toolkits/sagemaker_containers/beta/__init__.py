"""Where the older toolkit keeps what frameworks and scripts use."""

"""Amazon SageMaker's metrics plane: numbers that runs report, and their series."""

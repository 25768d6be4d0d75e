"""Amazon SageMaker Runtime: asking endpoints."""

"""What a training script may ask about its job."""

from cloche_jobs.toolkits.sagemaker_training.environment import Environment as TrainingEnv

__all__ = ["TrainingEnv"]

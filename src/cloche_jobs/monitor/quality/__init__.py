"""Model quality: what a model said, held against what really was."""

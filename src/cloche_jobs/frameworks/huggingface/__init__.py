"""Hugging Face: training is PyTorch's, serving is a pipeline of transformers."""

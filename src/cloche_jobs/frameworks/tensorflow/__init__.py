"""TensorFlow script mode: launching a script on one host or on several, and serving a SavedModel."""

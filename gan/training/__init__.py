"""A training run: set up, built, restored, trained, recorded."""

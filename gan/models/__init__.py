"""Keras functional generators and discriminators, and their tables."""

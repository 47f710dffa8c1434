"""Command lines; each runs from a checkout as ``python -m experiments.NAME``."""

"""How good images are: features, metrics, and what real images get."""

"""Generators: loaded, drawn from, exported."""

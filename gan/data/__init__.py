"""Data sets: found, downloaded, read and checked; images; the input pipeline."""

"""Metrics of generated images: pure NumPy functions, in float64, on features and on pixels.

`real` is what a metric compares with, `fake` what it judges; of features both are [N, D] arrays of
a feature network, `probabilities` are [N, classes] of its classifier.
"""

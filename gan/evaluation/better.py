"""Which way a metric is better: known without computing it, and without TensorFlow."""

from gan.evaluation.metrics import row_of

BETTER = {"modes": "higher", "high_quality": "higher", "reverse_kl": "lower", "sd_ratio": "real"}
ARROWS = {"lower": "↓", "higher": "↑", "real": "", "": ""}


def better(name: str) -> str:
    """Returns "lower", "higher", "real" (as real images, not more), or "" of a name unknown."""
    if name in BETTER:
        return BETTER[name]
    try:
        return row_of(name).better
    except KeyError:
        return ""

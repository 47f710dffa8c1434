"""What a second output of D, its head, is: the facts that networks, steps and commands share.

What the players minimise through it is the row of the same name in gan/algorithm/auxiliary.py.
"""

from collections.abc import Callable
from typing import NamedTuple

ALL = "all"  # of --labelled_images
MOST_NAMED = 10_000  # test images that a head that names classes is tried on


class Codes(NamedTuple):
    """The latent entries that InfoGAN's head finds again in an image; the first ones."""

    categories: int = 0  # of one code: the largest of so many entries says which; 0: none
    continuous: int = 0  # entries after those, each ~ N(0, 1)

    def entries(self) -> int:
        """How many entries these are."""
        return self.categories + self.continuous


class Head(NamedTuple):
    """A row of `HEADS`."""

    units: Callable[[Codes, int], int]  # (codes, classes of the data) -> entries of the head
    conditional: bool = False  # what --conditional must be: then G gets the class, D names it
    names_classes: bool = False  # its entries are logits of classes
    finds_codes: bool = False  # its entries are codes
    sums_to_logit: bool = False  # D's logit is the log of the sum of their exponentials
    few_labels: bool = False  # --labelled_images may be a part of all; no half looks at fakes


HEADS = {
    "infogan": Head(lambda codes, classes: codes.entries(), finds_codes=True),
    "acgan": Head(lambda codes, classes: classes, conditional=True, names_classes=True),
    "sgan": Head(
        lambda codes, classes: classes, names_classes=True, sums_to_logit=True, few_labels=True
    ),
}


def names_classes(auxiliary: str) -> bool:
    """Returns whether D's head names the class of an image under an auxiliary objective."""
    head = HEADS.get(auxiliary)
    return head is not None and head.names_classes

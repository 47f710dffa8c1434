"""How training fails, and what usually helps: the table "When something is wrong" of README.md."""

import re
from typing import NamedTuple

HELPS = "what usually helps: "


class Failure(NamedTuple):
    """A row of the table; a test compares it with README's."""

    row: str  # its name there
    sign: str  # what errors about it look like, a pattern
    advice: str


FAILURES = (
    Failure(
        "D wins",
        r"^collapsed at step .*\bdiscriminator_won: ",
        "a lower --d_learning_rate, or a penalty as in --preset=mlp_r3",
    ),
    Failure(
        "D learns nothing",
        r"^collapsed at step .*\bdiscriminator_dead: ",
        "a higher --d_learning_rate, or a smaller --penalty_weight",
    ),
    Failure(
        "D is linear",
        r"^collapsed at step .*\bdiscriminator_linear: ",
        "for images on black --discriminator=dcgan_dense_on_black or mlp_on_black",
    ),
    Failure(
        "Mode collapse",
        r"^collapsed at step .*\b(mode|class)_collapse: ",
        "--preset=mlp_r3, --pack=2, or a lower --d_learning_rate",
    ),
    Failure(
        "Not finite",
        r"\bis not finite at step \d(?!.* rollbacks did not help)",
        "--on_nan=rollback, or lower learning rates",
    ),
    Failure(
        "Not finite",
        r"\bis not finite at step \d.* rollbacks did not help",
        "lower learning rates, or --precision=mixed_bfloat16 instead of float16",
    ),
    Failure(
        "Out of memory",
        r": out of memory at step \d",
        "a smaller --batch_size",
    ),
)


def explained(error: str) -> str:
    """Returns an error with what usually helps, and where more of it stands, unless it says so."""
    if HELPS in error:
        return error
    more = [
        f'{HELPS}{failure.advice} (README, "When something is wrong", row "{failure.row}")'
        for failure in FAILURES
        if re.search(failure.sign, error)
    ]
    return "; ".join([error, *more])

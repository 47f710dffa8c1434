"""Processes that were forked after TensorFlow had started: without its threads they wait for ever.

``import gan`` imports this, so that every fork after it is noted, whoever used TensorFlow before.
"""

import os
import sys
from typing import Any

from gan.errors import UserError

_left_behind = False  # whether TensorFlow's threads stayed in a parent


def started() -> bool:
    """Returns whether TensorFlow has started in this process, or had when it was forked."""
    module: Any = sys.modules.get("tensorflow.python.eager.context")
    # Not tf.config: it would start what this asks about.
    context = module and module.context_safe()
    return getattr(context, "_context_handle", None) is not None


def note_fork() -> None:
    """Notes in a new child what it has not got."""
    global _left_behind
    _left_behind = _left_behind or started()


def refuse_fork() -> None:
    """Refuses to use TensorFlow where it would never return.

    Raises:
        UserError: TensorFlow had started before this process was forked.
    """
    if _left_behind:
        raise UserError(
            "this process was forked after TensorFlow had started, and would wait for ever: use "
            'multiprocessing.get_context("spawn"), or commands of their own'
        )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=note_fork)

"""Networks by name, and checks of what they map."""

from typing import Any

import keras

from gan.errors import UserError
from gan.models.registry import GENERATORS
from gan.run.config import Config
from gan.run.fields import lookup


def build_generator(config: Config, image_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Returns the generator that a configuration names, with its initial weights.

    Raises:
        UserError: There is none of this name, or not for such images or with this normalisation.
    """
    return build_network(
        GENERATORS, "generator", config.generator, config.latent_dim, image_shape,
        config=config, classes=classes, norm=config.g_norm,
    )  # fmt: skip


def build_network(
    table: dict[str, Any], knob: str, name: str, *shapes: Any, config: Config, classes: int,
    norm: str,
) -> keras.Model:  # fmt: skip
    """Returns the network of a table's row; what its builder refuses is the user's mistake."""
    try:
        return lookup(table, knob, name)(
            *shapes,
            config.precision,
            config.seed,
            classes=classes if config.conditional else 0,
            norm=norm,
        )
    except ValueError as error:
        raise UserError(f"--{knob}={name}: {error}") from None


def check_network(
    name: str,
    network: keras.Model,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    conditional: bool = False,
) -> None:
    """Refuses a network that does not map float32 [batch, *inputs] to float32 [batch, *outputs].

    A conditional one maps the list of these inputs and of labels [batch] int32.

    Raises:
        UserError: Says what it maps instead.
    """
    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise UserError(f"{name}: must be a Keras functional or sequential model")
    expected = [(None, *inputs)] + [(None,)] * conditional
    found = [tuple(tensor.shape) for tensor in network.inputs]
    if found != expected or network.output_shape != (None, *outputs):
        raise UserError(
            f"{name}: maps {in_words(found)} to {network.output_shape}, "
            f"must map {in_words(expected)} to {(None, *outputs)}"
        )
    if network.outputs[0].dtype != "float32":
        raise UserError(f"{name}: returns {network.outputs[0].dtype}, must return float32")


def in_words(shapes: list[tuple[int | None, ...]]) -> str:
    """Returns shapes as text."""
    return " and ".join(map(str, shapes))

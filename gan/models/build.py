"""Networks as a configuration names them."""

from collections.abc import Mapping

import keras

from gan.errors import UserError
from gan.models.layers import NetworkSpec
from gan.models.registry import DISCRIMINATORS, GENERATORS, Network
from gan.run.config import Config
from gan.run.fields import OWN_ROWS, lookup
from gan.run.heads import HEADS


def build_generator(config: Config, image_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Returns the generator that a configuration names, with its initial weights.

    Raises:
        UserError: There is none of this name, or not for such images or with this normalisation.
    """
    return build_network(GENERATORS, "generator", config, image_shape, classes, config.g_norm)


def build_discriminator(config: Config, image_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Returns the discriminator that a configuration names; `image_shape` is what it sees."""
    return build_network(
        DISCRIMINATORS, "discriminator", config, image_shape, classes, config.d_norm
    )


def build_network(
    table: Mapping[str, Network],
    flag: str,
    config: Config,
    image_shape: tuple[int, ...],
    classes: int,
    norm: str,
) -> keras.Model:
    """Returns the network of the table's row that a flag names."""
    name, labels = getattr(config, flag), classes if config.conditional else 0
    head = HEADS.get(config.auxiliary)
    spec = NetworkSpec(
        tuple(image_shape), config.latent_dim, labels, norm, config.precision, config.seed,
        config.halvings,
    )  # fmt: skip
    if head and table is DISCRIMINATORS:  # which names the class, instead of being told
        units = head.units(config.codes, classes)
        spec = spec._replace(classes=0, head=units, sums_to_logit=head.sums_to_logit)
    elif head and head.finds_codes:
        spec = spec._replace(categories=config.categories)
    try:
        return lookup(table, flag, name, OWN_ROWS).build(spec)
    except ValueError as error:
        raise UserError(f"--{flag}={name}: {error}") from None

"""Checks of what networks map, by what they are and by what they return for a few inputs.

Functions named `check_...` refuse; those named `doubts_...` return sentences about what is likely
to be a mistake. They call networks eagerly and change nothing in them.
"""

import re
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan.errors import UserError
from gan.models import keras_files
from gan.run.atomic_files import temporary_directory
from gan.run.config import Config
from gan.run.heads import HEADS

BETWEEN_0_AND_1 = {"sigmoid", "hard_sigmoid", "sparse_sigmoid", "softmax", "sparsemax"}
PASSES_ON = {"Reshape", "Flatten", "Squeeze", "ExpandDims", "Identity", "Dropout"}  # values as such

FAR_BEYOND = 10.0  # mean size of pixels that no network means to be in -1..1
NARROW = 0.1  # of a range that should be 2 wide
FLAT = 0.03  # difference of logits over their size, between the ends of the range


def check_model(name: str, network: Any) -> None:
    """Refuses what is no functional model, or a sequential one without an input."""
    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise UserError(f"{name}: must be a Keras functional or sequential model")


def check_network(
    name: str,
    network: keras.Model,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    conditional: bool = False,
    head: int = 0,
) -> None:
    """Refuses a network that does not map float32 [batch, *inputs] to float32 [batch, *outputs].

    A conditional one maps the list of these inputs and of labels [batch] int32. One with a head of
    so many units returns a list: that, and the head [batch, head] float32.
    """
    check_model(name, network)
    expected = [(None, *inputs)] + [(None,)] * conditional
    shapes = [tuple(tensor.shape) for tensor in network.inputs]
    returned = [tuple(tensor.shape) for tensor in network.outputs]
    right = [(None, *outputs)] + [(None, head)] * bool(head)
    if shapes != expected or returned != right:
        raise UserError(
            f"{name}: maps {' and '.join(map(str, shapes))} to {' and '.join(map(str, returned))}, "
            f"must map {' and '.join(map(str, expected))} to {' and '.join(map(str, right))}"
        )
    for output in network.outputs:
        if output.dtype != "float32":
            raise UserError(f"{name}: returns {output.dtype}, must return float32")
    if "float" not in (dtype := network.inputs[0].dtype):  # Keras would round what it is given
        raise UserError(f"{name}: takes {dtype}, must take float32")


def check_discriminator(
    name: str, network: keras.Model, config: Config, seen_shape: tuple[int, ...], classes: int
) -> None:
    """Refuses a network that cannot be the discriminator of a configuration, see `check_network`.

    It sees `seen_shape` at once; `classes` are those of the data set. With a head that names them
    it is not told them.
    """
    head = HEADS.get(config.auxiliary)
    units = head.units(config.codes, classes) if head else 0
    check_network(name, network, seen_shape, (1,), config.conditional and not head, units)


def check_labels(name: str, network: keras.Model, classes: int) -> list[str]:
    """Refuses a conditional network that has no place for one of the labels 0 to `classes` - 1.

    Returns a doubt about one that has more places.
    """
    dtype = tf.as_dtype(network.inputs[1].dtype)
    places = {layer.input_dim for layer in label_embeddings(network)}
    if places and min(places) < classes:
        raise UserError(
            f"{name}: has an Embedding of {min(places)} rows, the data set has {classes} classes"
        )
    if dtype.is_bool or dtype.max < classes - 1:
        raise UserError(f"{name}: takes labels as {dtype.name}, must take int32")
    labels = np.arange(classes)
    inputs = np.repeat(probe(network)[:1], classes, axis=0)
    try:
        found = call(network, inputs, labels)
    except (tf.errors.OpError, ValueError) as error:  # a number that no layer looks up
        reason = " ".join(str(error).split())[:100]
        raise UserError(
            f"{name}: cannot take the labels 0 to {classes - 1} of the data set ({reason})"
        ) from None
    # Encoders of too few classes make zeros of the others. Where all are alike the labels have no
    # weight yet, as in layers that start at zero.
    different = np.unique(found.reshape(classes, -1), axis=0, return_inverse=True)[1].ravel()
    if 1 < len(set(different)) < classes:
        first = next(i for i in labels if list(different).count(different[i]) > 1)
        same = [int(i) for i in labels if different[i] == different[first]]
        raise UserError(
            f"{name}: does not tell the classes {', '.join(map(str, same))} apart, the data set "
            f"has {classes}"
        )
    if places and min(places) > classes:
        return [
            f"{name}: has an Embedding of {min(places)} rows, the data set has {classes} classes: "
            "the others are never learned"
        ]
    return []


def check_trainable(name: str, network: keras.Model) -> None:
    """Refuses a network that cannot learn."""
    if not network.trainable_variables:
        raise UserError(
            f"{name}: has no trainable weights and would learn nothing; set its trainable = True"
        )


def check_precision(name: str, network: keras.Model, precision: str) -> None:
    """Refuses a network that computes in another half precision than a run, which scales losses."""
    half = {layer.compute_dtype for layer in all_layers(network)} & {"float16", "bfloat16"}
    if other := sorted(half - {precision.removeprefix("mixed_")}):
        raise UserError(
            f"{name}: computes in {other[0]} with --precision={precision}, must be "
            f"mixed_{other[0]}, or the network in float32"
        )


def check_apart(generator: keras.Model, discriminator: keras.Model) -> None:
    """Refuses players that share weights, where an update of one would change the other."""
    of_generator = {id(variable) for variable in generator.variables}
    if shared := [v.path for v in discriminator.variables if id(v) in of_generator]:
        raise UserError(
            f"generator, discriminator: share the weights {shared[0]}, each must have its own"
        )


def doubts_about_frozen_layers(name: str, network: keras.Model) -> list[str]:
    """Returns a sentence if some of the layers of a network are frozen."""
    frozen = [layer.name for layer in all_layers(network) if not layer.trainable and layer.weights]
    learning = {id(variable) for variable in network.trainable_variables}
    frozen += [
        variable.path  # frozen alone
        for layer in all_layers(network)
        if layer.trainable
        for variable in layer._trainable_variables
        if id(variable) not in learning
    ]
    if not frozen:
        return []
    return [f"{name}: the weights of {', '.join(frozen)} are frozen, they do not learn"]


def check_logits(name: str, network: keras.Model, images: np.ndarray) -> None:
    """Refuses a discriminator whose logits are probabilities already.

    `images` [n, ...] float32 are some that it will see.
    """
    for number in range(len(network.outputs)):  # of a head too
        if (activation := last_activation(network, number)) in BETWEEN_0_AND_1:
            raise UserError(
                f"{name}: ends in {activation}, must return logits, without an activation: the "
                "losses have it"
            )
    # Whatever the size of an input, with either sign.
    inputs = np.concatenate([sign * images * 30.0**power for sign in (1, -1) for power in range(4)])
    logits = call(network, inputs)
    if np.ptp(logits) > 1e-6 and logits.min() >= 0 and logits.max() <= 1:
        raise UserError(f"{name}: returns nothing outside of 0..1, must return logits")


def check_images(name: str, network: keras.Model) -> list[str]:
    """Refuses a generator whose images are not in -1..1; returns doubts about others."""
    if (activation := last_activation(network)) in BETWEEN_0_AND_1:
        raise UserError(
            f"{name}: ends in {activation}, its images lie in 0..1, must be in -1..1 (tanh)"
        )
    images = call(network, probe(network))
    low, high = float(images.min()), float(images.max())
    size = float(np.abs(images).mean())
    if size > FAR_BEYOND:
        raise UserError(f"{name}: makes images in {low:.4g}..{high:.4g}, must be in -1..1")
    if low >= 0 and low < high:
        return [f"{name}: makes images in {low:.4g}..{high:.4g}, nothing below 0; -1 is black"]
    return []


def doubts_about_sight(name: str, network: keras.Model) -> list[str]:
    """Returns a sentence about a discriminator that can hardly tell -1 from 1."""
    spread = np.linspace(-1.0, 1.0, 16, dtype=np.float32)
    shape = network.inputs[0].shape[1:]
    constant = np.broadcast_to(spread.reshape(-1, *[1] * len(shape)), (16, *shape))
    images = np.concatenate([constant, probe(network), -probe(network)])
    seen = before_first_weights(network, images)
    if seen is not None and np.ptp(seen) < NARROW:
        return [
            f"{name}: its first layers make {seen.min():.4g}..{seen.max():.4g} of images in -1..1; "
            "is a Rescaling meant for 0..255?"
        ]
    logits = call(network, images)
    if np.ptp(logits) < FLAT * np.abs(logits).max():
        return [
            f"{name}: its logits differ by {np.ptp(logits):.2g} only over images in -1..1, at a "
            f"size of {np.abs(logits).max():.2g}; does it expect another range?"
        ]
    return []


def check_saving(name: str, network: keras.Model) -> None:
    """Refuses a network that cannot be loaded again after it was saved, in Keras' safe mode."""
    lambdas = [layer for layer in all_layers(network) if isinstance(layer, keras.layers.Lambda)]
    if lambdas:
        raise UserError(
            f"{name}: has the Lambda layer {lambdas[0].name}, which cannot be loaded again; use "
            "keras.ops or a registered layer"
        )
    try:
        with temporary_directory() as directory:
            path = directory / "network.keras"
            keras_files.save(network, path)
            again = keras.models.load_model(path, compile=False, safe_mode=True)
        if len(again.weights) != len(network.weights):
            raise ValueError(f"it has {len(again.weights)} of {len(network.weights)} weights")
        inputs = probe(network)
        before, after, once_more = (call(one, inputs) for one in (network, again, network))
        # What draws random numbers in inference mode too cannot be compared.
        if np.array_equal(before, once_more) and not np.allclose(before, after, 1e-3, 1e-5):
            raise ValueError("it computes something else: get_config must have all arguments")
    except UserError:  # there is no directory for temporary files
        raise
    except OSError as error:
        raise UserError(f"{name}: cannot be saved to try it ({error.strerror or error})") from None
    except Exception as error:  # whatever the layers' own code raises
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{name}: could not be loaded again after it was saved; layers of your own need "
            f"get_config and keras.saving.register_keras_serializable ({reason})"
        ) from None


def check_variables(name: str, network: keras.Model) -> list[str]:
    """Refuses variables that Keras does not know, and so neither trains nor saves.

    Returns a sentence about random numbers that a checkpoint does not keep.
    """
    inputs = [tf.TensorSpec((2, *tensor.shape[1:]), tensor.dtype) for tensor in network.inputs]

    @tf.function(autograph=False)
    def run(*tensors: tf.Tensor) -> Any:
        with keras.StatelessScope():
            return network(list(tensors) if len(tensors) > 1 else tensors[0], training=True)

    traced = run.get_concrete_function(*inputs)
    stateful = {op.type for op in traced.graph.get_operations() if op.op_def.is_stateful}
    drawn = sorted(kind for kind in stateful if "Random" in kind or "Multinomial" in kind)
    kept = {id(variable.value) for variable in network.variables}
    others = [v for v in traced.graph.variables if id(v) not in kept]
    if weights := [v.name for v in others if v.dtype.is_floating]:
        raise UserError(
            f"{name}: has the tf.Variable {weights[0]}, which Keras neither trains nor saves; its "
            "layer must make it by add_weight"
        )
    foreign = [v.name for v in others]
    if not drawn and not any("seed" in variable for variable in foreign):
        return []
    return [
        f"{name}: draws random numbers that checkpoints do not keep "
        f"({', '.join([*drawn, *foreign])}), so a resumed run is another one; give layers a "
        "keras.random.SeedGenerator"
    ]


def adds_losses(network: keras.Model) -> bool:
    """Returns whether a call of a network adds losses: by ``add_loss``, or of activities."""
    inputs: Any = [tf.constant(probe(network))]
    if len(network.inputs) == 2:
        inputs.append(tf.zeros(len(inputs[0]), network.inputs[1].dtype))
    with keras.StatelessScope(collect_losses=True) as scope:
        network(inputs if len(inputs) > 1 else inputs[0], training=True)
        return bool(scope.losses)


def all_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers of a network, however deep: in models, wrappers and layers of layers."""
    layers: list[keras.layers.Layer] = network._flatten_layers(include_self=False)  # no public way
    return layers


def operations_of(network: keras.Model) -> list[keras.Operation]:
    """Returns what a network computes between its layers, however deep: additions and the like."""
    steps = [s for part in [network, *all_layers(network)] for s in getattr(part, "operations", [])]
    return [step for step in steps if not isinstance(step, keras.Layer)]


def label_embeddings(network: keras.Model) -> list[keras.layers.Embedding]:
    """Returns the Embedding layers of a network, however deep."""
    return [layer for layer in all_layers(network) if isinstance(layer, keras.layers.Embedding)]


def classes_of(network: keras.Model) -> int:
    """Returns how many classes a network knows, 0 if it is not conditional.

    Raises:
        UserError: It takes labels, and none of its layers says how many there are.
    """
    if len(network.inputs) == 1:
        return 0
    known = [int(layer.input_dim) for layer in label_embeddings(network)]
    for step in [*all_layers(network), *operations_of(network)]:
        if isinstance(step, keras.layers.CategoryEncoding):
            known.append(int(step.num_tokens))
        elif type(step).__name__ == "OneHot":  # keras.ops.one_hot
            known.append(int(step.num_classes))
    if not known:
        raise UserError(
            "generator: takes labels, and must have an Embedding or a CategoryEncoding for them"
        )
    return min(known)


def call(network: keras.Model, inputs: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Returns what a network makes of inputs in inference mode; labels are 0 if not given.

    Of several outputs the first.
    """
    arguments: Any = tf.constant(inputs, tf.float32)
    if len(network.inputs) == 2:
        numbers = np.zeros(len(inputs)) if labels is None else labels
        arguments = [arguments, tf.constant(numbers, network.inputs[1].dtype)]
    with keras.StatelessScope(), tf.device("CPU"):  # other devices look up any label
        said = network(arguments, training=False)
    returned: np.ndarray = keras.tree.flatten(said)[0].numpy()
    return returned


def probe(network: keras.Model) -> np.ndarray:
    """Returns inputs [16, ...] float32 for a network: latents ~ N(0, 1), or noise in -1..1."""
    shape, rng = network.inputs[0].shape[1:], np.random.default_rng(0)
    drawn = rng.normal(size=(16, *shape)) if len(shape) == 1 else rng.uniform(-1, 1, (16, *shape))
    return drawn.astype(np.float32)


def last_activation(network: keras.Model, output: int = 0) -> str:
    """Returns the name of the activation that a network's output ends in, "" if there is none."""
    step: Any = network.outputs[output]._keras_history.operation
    while step is not None:
        if isinstance(step, keras.Model):
            step = step.outputs[0]._keras_history.operation
        elif type(step).__name__ in PASSES_ON:
            step = step.input._keras_history.operation
        else:
            break
    activation = getattr(step, "activation", None) or step
    name = getattr(activation, "__name__", type(activation).__name__)
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()  # Sigmoid is an operation of keras.ops


def before_first_weights(network: keras.Model, inputs: np.ndarray) -> np.ndarray | None:
    """Returns what the first layer with weights gets of inputs, None if that is not clear."""
    before = network.inputs[0]
    for layer in network.layers:
        nested = isinstance(layer, keras.Model)
        try:
            if layer.trainable_weights:
                of_layer = before if nested else layer.input
                seen = call(keras.Model(network.inputs[0], of_layer), inputs)
                inside = nested and len(getattr(layer, "inputs", None) or []) == 1
                return before_first_weights(layer, seen) if inside else seen
            before = layer.output
        except (AttributeError, ValueError):  # it is called twice, or looks at labels
            continue
    return None

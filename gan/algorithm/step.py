"""The training step: one tape per player. The algorithm is in this file alone.

Every function here is plain and runs eagerly; gan/training/builders.py compiles `train_steps`.
Networks get float32 images [batch, H, W, C] in -1..1 and return float32 logits [batch, 1], so
losses, norms and metrics never see half precision. Conditional ones get labels too. A D with a
second output has an auxiliary objective, see gan/algorithm/auxiliary.py.

``keras.StatelessScope`` runs a network in training mode and drops what it would write. A player's
moving averages change in its own update only; the random numbers of its layers go on in all.

On several devices each function runs once a replica, on its part of the batch. Replicas exchange
gradients in `apply_gradients` and metrics in `train_step`, see gan/algorithm/collectives.py.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from gan.algorithm import collectives
from gan.algorithm.ada import Controller, adapt
from gan.algorithm.augment import apply_augmentations, flip
from gan.algorithm.auxiliary import AUXILIARY_METRICS, Judgement
from gan.algorithm.losses import cross_entropy
from gan.algorithm.objective import Objective, discriminator_inputs
from gan.algorithm.per_example import per_example
from gan.algorithm.power_averages import update_averages
from gan.data.images import to_float
from gan.data.input_pipeline import Batch
from gan.rng import fold_in

Metrics = dict[str, tf.Tensor]

# What train_step returns, as float32 scalars. loss/d is the sum over the real and the fake part,
# without the penalty; losses that a network's own layers add are part of its player's.
STEP_METRICS = (
    "loss/d", "loss/g", "loss/penalty", "logits/real", "logits/fake", "accuracy/real",
    "accuracy/fake", "grads/d_norm", "grads/g_norm",
)  # fmt: skip

ADA_METRICS = ("augment/probability",)  # with ADA: that of the next step
# With an auxiliary objective also `AUXILIARY_METRICS`.

# What must be finite, in the order in which a step computes it: the first bad one is the cause.
FINITE = (
    "logits/real", "logits/fake", "loss/d", "loss/penalty", "loss/d_auxiliary", "grads/d_norm",
    "weights/d_norm", "loss/g", "loss/g_auxiliary", "grads/g_norm", "weights/g_norm",
)  # fmt: skip

FLIPS, LABELLED = 3, 4  # of an update's random numbers; 1 and 2 are those of what D sees

EMA_RAMP = 0.05  # half-life over images seen while the average warms up; Karras et al. 2022's value


# A network of one input: images or latents, training=... -> logits or images
Player = Callable[..., tf.Tensor]
# D of one input: images, training=... -> what it says of them
Judge = Callable[..., Judgement]


class GanState(NamedTuple):
    """Everything that training changes."""

    generator: keras.Model
    discriminator: keras.Model
    ema_generator: keras.Model
    g_optimizer: keras.optimizers.Optimizer
    d_optimizer: keras.optimizers.Optimizer
    step: tf.Variable  # int64 scalar, steps done
    rollbacks: tf.Variable  # int64 scalar, how often a run went back; changes its random numbers
    averages: tuple[keras.Model, ...] = ()  # of gan/algorithm/power_averages.py, if there are any
    ada: Controller | None = None  # of the probability of augmentations, if that adapts

    def parts(self) -> dict[str, Any]:
        """Returns all that a checkpoint holds, by name."""
        others = {name: part for name, part in self._asdict().items() if part is not None}
        averages = others.pop("averages")
        return others | {f"average_{i}": average for i, average in enumerate(averages)}


# Of one player, or of both: (state, batch, objective, key) -> metrics
Update = Callable[[GanState, Batch, Objective, tf.Tensor], Metrics]


def discriminator_update(
    state: GanState, batch: Batch, objective: Objective, key: tf.Tensor
) -> Metrics:
    """Updates D on real images and on fresh fakes, and leaves G untouched.

    `key` [2] int64 is that of the update's random numbers.
    """
    generator, discriminator = bind_labels(state, batch)
    with keras.StatelessScope() as scope:
        fake_images = generator(batch.latents, training=True)
    keep_random_state(scope, state.generator)
    real_images, fake_images = discriminator_inputs(objective, batch.images, fake_images, key)
    with tf.GradientTape() as tape:
        if per_example(state.discriminator):  # one pass over its weights
            both = discriminator(tf.concat([real_images, fake_images], 0), training=True)
            real, fake = halves(both)
            added = [state.discriminator.losses]
        else:
            real = discriminator(real_images, training=True)
            added = [state.discriminator.losses]
            fake = discriminator(fake_images, training=True)
            added += [state.discriminator.losses]
        d_loss = tf.reduce_mean(objective.loss.discriminator(real.logits, fake.logits))
        d_loss = with_added(d_loss, added)
        logits_of = only_logits(discriminator)
        d_penalty = objective.penalty(logits_of, real_images, fake_images, state.step, key)
        auxiliary = discriminator_auxiliary(objective, discriminator, real, fake, batch, key)
        d_total = d_loss + d_penalty + auxiliary.get("loss/d_auxiliary", 0.0)
        scaled_loss = state.d_optimizer.scale_loss(d_total)
    norm = apply_gradients(tape, scaled_loss, state.d_optimizer, state.discriminator)
    clip_weights(state.discriminator, objective.d_weight_clip)
    metrics = discriminator_metrics(d_loss, real.logits, fake.logits, objective.loss.boundary)
    return {**metrics, **auxiliary, "loss/penalty": d_penalty, "grads/d_norm": norm}


def generator_update(
    state: GanState, batch: Batch, objective: Objective, key: tf.Tensor
) -> Metrics:
    """Updates G through D, and leaves D untouched. Relativistic losses look at the real images."""
    generator, discriminator = bind_labels(state, batch)
    with tf.GradientTape() as tape:
        fake_images = generator(batch.latents, training=True)
        real_images, fake_images = discriminator_inputs(objective, batch.images, fake_images, key)
        with keras.StatelessScope() as scope:
            real = discriminator(real_images, training=True)
            fake = discriminator(fake_images, training=True)
        g_loss = tf.reduce_mean(objective.loss.generator(real.logits, fake.logits))
        g_loss = with_added(g_loss, [state.generator.losses])
        auxiliary = objective.auxiliary.of_generator(real, fake, batch.labels, batch.latents)
        g_total = g_loss + auxiliary.get("loss/g_auxiliary", 0.0)
        scaled_loss = state.g_optimizer.scale_loss(g_total)
    norm = apply_gradients(tape, scaled_loss, state.g_optimizer, state.generator)
    keep_random_state(scope, state.discriminator)
    return {"loss/g": g_loss, **auxiliary, "grads/g_norm": norm}


def keep_random_state(scope: keras.StatelessScope, network: keras.Model) -> None:
    """Lets Dropout and the like go on where a pass that leaves all else as it was has left them."""
    weights = {id(weight) for weight in network.weights}
    for variable in network.variables:
        value = scope.get_current_value(variable)
        if id(variable) not in weights and value is not None:
            variable.assign(value)


def simultaneous_update(
    state: GanState, batch: Batch, objective: Objective, key: tf.Tensor
) -> Metrics:
    """Updates both players from one forward pass, each against the other's old weights."""
    generator, discriminator = bind_labels(state, batch)
    with tf.GradientTape() as d_tape, tf.GradientTape() as g_tape:
        fake_images = generator(batch.latents, training=True)
        real_images, fake_images = discriminator_inputs(objective, batch.images, fake_images, key)
        real = discriminator(real_images, training=True)
        added = [state.discriminator.losses]
        fake = discriminator(fake_images, training=True)
        added += [state.discriminator.losses]
        d_loss = tf.reduce_mean(objective.loss.discriminator(real.logits, fake.logits))
        d_loss = with_added(d_loss, added)
        g_loss = tf.reduce_mean(objective.loss.generator(real.logits, fake.logits))
        g_loss = with_added(g_loss, [state.generator.losses])
        logits_of = only_logits(discriminator)
        d_penalty = objective.penalty(logits_of, real_images, fake_images, state.step, key)
        auxiliary = discriminator_auxiliary(objective, discriminator, real, fake, batch, key)
        auxiliary |= objective.auxiliary.of_generator(real, fake, batch.labels, batch.latents)
        d_total = d_loss + d_penalty + auxiliary.get("loss/d_auxiliary", 0.0)
        g_total = g_loss + auxiliary.get("loss/g_auxiliary", 0.0)
        scaled_d_loss = state.d_optimizer.scale_loss(d_total)
        scaled_g_loss = state.g_optimizer.scale_loss(g_total)
    # Both gradients hold for the weights of the forward pass, whichever is applied first.
    d_norm = apply_gradients(d_tape, scaled_d_loss, state.d_optimizer, state.discriminator)
    g_norm = apply_gradients(g_tape, scaled_g_loss, state.g_optimizer, state.generator)
    clip_weights(state.discriminator, objective.d_weight_clip)
    metrics = discriminator_metrics(d_loss, real.logits, fake.logits, objective.loss.boundary)
    metrics |= {"loss/g": g_loss, "loss/penalty": d_penalty, **auxiliary}
    return {**metrics, "grads/d_norm": d_norm, "grads/g_norm": g_norm}


def classic_discriminator_update(state: GanState, batch: Batch, *others: Any) -> Metrics:
    """Updates D twice, as the original script does: on real images, then on fakes.

    The fakes come from G in inference mode, as ``generator.predict`` makes them. The gradient norm
    is that of the second update. The loss is the script's: `others` of an `Update` are not used.
    """
    del others
    generator, discriminator = bind_labels(state, batch)
    fake_images = generator(batch.latents, training=False)
    logits, losses = [], []
    for images, label in ((batch.images, 1.0), (fake_images, 0.0)):
        with tf.GradientTape() as tape:
            logits.append(discriminator(images, training=True).logits)
            loss = tf.reduce_mean(cross_entropy(logits[-1], label))
            losses.append(with_added(loss, [state.discriminator.losses]))
            scaled_loss = state.d_optimizer.scale_loss(losses[-1])
        norm = apply_gradients(tape, scaled_loss, state.d_optimizer, state.discriminator)
    metrics = discriminator_metrics(losses[0] + losses[1], *logits)
    return {**metrics, "loss/penalty": tf.zeros([]), "grads/d_norm": norm}


def generator_loss_only(
    state: GanState, batch: Batch, objective: Objective, key: tf.Tensor
) -> Metrics:
    """Returns what `generator_update` does, and changes nothing."""
    generator, discriminator = bind_labels(state, batch)
    with keras.StatelessScope(collect_losses=True) as scope:
        fake_images = generator(batch.latents, training=True)
        of_call = list(scope.losses)
        real_images, fake_images = discriminator_inputs(objective, batch.images, fake_images, key)
        real = discriminator(real_images, training=True)
        fake = discriminator(fake_images, training=True)
    g_loss = tf.reduce_mean(objective.loss.generator(real.logits, fake.logits))
    g_loss = with_added(g_loss, [[*of_call, *state.generator.losses]])  # those of weights
    auxiliary = objective.auxiliary.of_generator(real, fake, batch.labels, batch.latents)
    return {"loss/g": g_loss, **auxiliary, "grads/g_norm": tf.zeros([])}


def discriminator_auxiliary(
    objective: Objective,
    discriminator: Judge,
    real: Judgement,
    fake: Judgement,
    batch: Batch,
    key: tf.Tensor,
) -> Metrics:
    """Returns what D minimises through its head, and how often that is right; {} without one.

    Where few images have labels D looks at a batch of those too, with the same augmentations.
    """
    labels = batch.labels
    if labelled := objective.auxiliary.labelled:
        drawn = fold_in(key, LABELLED)
        images, labels = labelled.draw(labels.shape[0], drawn)
        images = apply_augmentations(
            images, objective.augmentations, fold_in(drawn, 1), objective.augment_probability
        )
        real = discriminator(images, training=True)
    return objective.auxiliary.of_discriminator(real, fake, labels, batch.latents)


def only_logits(discriminator: Judge) -> Player:
    """Returns D as a function from images to logits, which is what penalties are about."""
    return lambda images, training: discriminator(images, training=training).logits


def halves(both: Judgement) -> tuple[Judgement, Judgement]:
    """Returns what D said of the first and of the second half of a batch."""
    pairs = [(None, None) if part is None else tf.split(part, 2) for part in both]
    return Judgement(*(pair[0] for pair in pairs)), Judgement(*(pair[1] for pair in pairs))


def bind_labels(state: GanState, batch: Batch) -> tuple[Player, Judge]:
    """Returns G and D as functions of latents and of images; conditional ones know the labels.

    A fake image has the label of the real one at its place, so fakes are distributed as the data.
    Inputs may be several batches, one after the other.
    """

    def of_one_input(network: keras.Model) -> Player:
        if len(network.inputs) == 1:
            return network

        def of_labels(inputs: tf.Tensor, training: bool) -> tf.Tensor:
            labels = tf.tile(batch.labels, [inputs.shape[0] // batch.labels.shape[0]])
            return network([inputs, labels], training=training)

        return of_labels

    said_by = of_one_input(state.discriminator)

    def judge(images: tf.Tensor, training: bool) -> Judgement:
        return Judgement(*keras.tree.flatten(said_by(images, training=training)))

    return of_one_input(state.generator), judge


def with_added(loss: tf.Tensor, added: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
    """Returns a player's loss with what its own layers add to it, the mean over its calls.

    `added` are ``network.losses`` after each call: regularisers of weights, which so count once,
    of activities, and what layers gave to ``add_loss``.
    """
    terms = [tf.cast(term, loss.dtype) for of_one_call in added for term in of_one_call]
    return loss + tf.add_n(terms) / len(added) if terms else loss


def apply_gradients(
    tape: tf.GradientTape,
    scaled_loss: tf.Tensor,
    optimizer: keras.optimizers.Optimizer,
    network: keras.Model,
) -> tf.Tensor:
    """Applies one optimizer update to a network and returns its gradient's global L2 norm.

    `scaled_loss` is ``optimizer.scale_loss(loss)``: under `LossScaleOptimizer` the gradients are
    scaled too, `apply` unscales them and skips the update if they overflowed, and the norm, which
    is then not finite, is returned unscaled. Other optimizers scale by 1.
    """
    gradients = collectives.mean(tape.gradient(scaled_loss, network.trainable_variables))
    norm = global_norm(gradients) / optimizer.scale_loss(1.0)
    optimizer.apply(gradients, network.trainable_variables)
    collectives.share_statistics(network)
    return norm


def global_norm(tensors: Sequence[Any]) -> tf.Tensor:
    """Returns the L2 norm of all entries of some tensors, in float32. None counts as 0.

    The squares are added up by rows first: of all entries at once XLA makes a slow tree.
    """
    dense = [tf.convert_to_tensor(tensor) for tensor in tensors if tensor is not None]
    squares = [tf.square(tf.cast(tensor, tf.float32)) for tensor in dense]
    sums = [
        tf.reduce_sum(tf.reduce_sum(square, -1) if square.shape.rank else square)
        for square in squares
    ]
    return tf.sqrt(tf.add_n(sums))


def clip_weights(network: keras.Model, bound: float) -> None:
    """Clips each weight to -bound..bound; 0 clips nothing.

    References:
        Arjovsky et al. 2017, arXiv:1701.07875, Algorithm 1; the bound there is 0.01.
    """
    if bound:
        for variable in network.trainable_variables:
            variable.assign(tf.clip_by_value(variable.value, -bound, bound))


def discriminator_metrics(
    d_loss: tf.Tensor, real_logits: tf.Tensor, fake_logits: tf.Tensor, boundary: float = 0.0
) -> Metrics:
    """Returns D's loss, mean logits and the share of real and of fake images it gets right.

    Right are real images with a logit above `boundary`, and fake ones with no such logit.
    """
    return {
        "loss/d": d_loss,
        "logits/real": tf.reduce_mean(real_logits),
        "logits/fake": tf.reduce_mean(fake_logits),
        "accuracy/real": tf.reduce_mean(tf.cast(real_logits > boundary, tf.float32)),
        "accuracy/fake": tf.reduce_mean(tf.cast(fake_logits <= boundary, tf.float32)),
    }


def ema_update(
    state: GanState, step: tf.Tensor, batch_size: int, half_life: int, images: int = 0
) -> None:
    """Moves the averaged generator towards the generator, after step number `step` (from 0).

    The half-life of the weights' average, in images, grows with the images seen until it is
    `half_life`; with 0 the average is the generator itself. `images` were seen before the first
    step, by the average that it started as. BatchNorm's moving statistics are
    copied, until gan/algorithm/batch_norm_statistics.py measures those of the averaged weights.

    References:
        Karras et al. 2022, arXiv:2206.00364, appendix F (half-life in images, ramped up).
    """
    images_seen = tf.cast(step + 1, tf.float32) * float(batch_size) + float(images)
    span = tf.minimum(float(half_life), EMA_RAMP * images_seen)
    decay = tf.pow(0.5, float(batch_size) / span) if half_life else tf.zeros([])
    ema, generator = state.ema_generator, state.generator
    for average, weight in zip(ema.trainable_variables, generator.trainable_variables, strict=True):
        average.assign(weight + tf.cast(decay, average.dtype) * (average - weight))
    for copy, value in zip(
        ema.non_trainable_variables, generator.non_trainable_variables, strict=True
    ):
        copy.assign(value)


def train_step(
    state: GanState,
    block: Batch,
    *,
    objective: Objective,
    schedule: str,
    ema_half_life: int,
    ema_images: int = 0,
    key: tf.Tensor,
    flip_real: bool = False,
    update_generator: bool = True,
) -> Metrics:
    """Does one step: D's updates, G's update, the average; and counts it.

    Args:
        state: What is trained.
        block: images [d_steps, batch, H, W, C] uint8 and labels [d_steps, batch], a real batch for
            each of D's updates; latents [d_steps + 1, batch, latent_dim], for each of D's updates
            and for G's. Of a replica, where there are several.
        objective: Losses, penalty, augmentations; the classic schedule has its own loss.
        schedule: "alternating": D's updates, then G's on fresh latents through the updated D.
            "simultaneous": D's last update and G's come from one forward pass, on D's latents.
            "classic": like alternating, with `classic_discriminator_update`.
        ema_half_life: In images.
        ema_images: Seen before the first step, see `ema_update`.
        key: [2] int64, from which the key of each update's random numbers is made.
        flip_real: Whether half of the real images are mirrored; which is a function of the key too.
        update_generator: Whether G learns; it does not while D warms up.

    Returns:
        `step_metrics`, those of D from its last update, of the global batch.
    """
    d_steps, batch_size = block.images.shape[:2]
    step = tf.identity(state.step)
    if state.ada:
        objective = objective._replace(augment_probability=tf.identity(state.ada.probability))
    real_images = to_float(block.images)
    last = d_steps - 1

    def update(function: Update, number: int) -> Metrics:
        """Does one of the step's updates, each on latents and random numbers of its own."""
        real = min(number, last)  # G's update looks at the last real batch
        first = step * (d_steps + 1)
        images = real_images[real]
        if flip_real:
            images = flip(images, fold_in(fold_in(key, first + real), FLIPS))
        batch = Batch(images, block.labels[real], block.latents[number])
        return function(state, batch, objective, fold_in(key, first + number))

    update_d = classic_discriminator_update if schedule == "classic" else discriminator_update
    for number in range(last):
        update(update_d, number)
    if schedule == "simultaneous" and update_generator:
        metrics = update(simultaneous_update, last)
    else:
        metrics = update(update_d, last)
        metrics |= update(generator_update if update_generator else generator_loss_only, d_steps)
    images = batch_size * collectives.count()
    ema_update(state, step, images, ema_half_life, ema_images)
    update_averages(state.averages, state.generator, step)
    state.step.assign_add(1)
    metrics = {name: tf.cast(value, tf.float32) for name, value in metrics.items()}
    metrics = collectives.mean(metrics)
    if state.ada:  # after the mean: all replicas move it alike
        shown = d_steps * batch_size * collectives.count()
        adapt(state.ada, metrics["accuracy/real"], objective.ada_target, step + 1, shown)
        metrics["augment/probability"] = tf.identity(state.ada.probability)
    return metrics


def train_steps(
    state: GanState,
    block: Batch,
    first: tf.Tensor,
    last: tf.Tensor,
    *,
    objective: Objective,
    run: Callable[..., Metrics] = lambda step, *arguments: step(*arguments),
    **options: Any,
) -> tuple[Metrics, tf.Tensor]:
    """Does the steps `first` to `last` - 1 of a block, fewer if one of them is not finite.

    The bounds are tensors, so that one trace does any number of steps. The loop has no known bound,
    because XLA compiles one that has anew for each length.

    Args:
        state: What is trained.
        block: What `train_step` takes, with K steps in front.
        first: int32 scalar.
        last: int32 scalar, first < last <= K.
        objective: Of `train_step`.
        run: Runs a step on every replica, each with its part of the block.
        **options: Of `train_step`.

    Returns:
        `step_metrics` of the last step that was done, the weights' L2 norms after it, and whether
        all of this is finite. Norms of weights come once a call, because they read all weights.
    """

    def step_at(block: Batch, number: tf.Tensor) -> Metrics:
        batches = Batch(*(part[number] for part in block))
        return train_step(state, batches, objective=objective, **options)

    def goes_on(number: tf.Tensor, finite: tf.Tensor, _: Metrics) -> tf.Tensor:
        return tf.logical_and(number < last, finite)

    def do(number: tf.Tensor, *_: Any) -> tuple[tf.Tensor, tf.Tensor, Metrics]:
        metrics = run(step_at, block, number)
        return number + 1, all_finite(metrics, state), metrics

    nothing = {name: tf.zeros([]) for name in step_metrics(objective)}
    _, _, metrics = tf.while_loop(goes_on, do, (first, tf.constant(True), nothing))
    for name, network in (("d", state.discriminator), ("g", state.generator)):
        metrics[f"weights/{name}_norm"] = global_norm(network.trainable_variables)
    return metrics, all_finite(metrics, state)


def step_metrics(objective: Objective) -> tuple[str, ...]:
    """Returns the names of what a step returns."""
    auxiliary = AUXILIARY_METRICS if objective.auxiliary.row else ()
    return (*STEP_METRICS, *auxiliary, *(ADA_METRICS if objective.ada_target else ()))


def all_finite(metrics: Metrics, state: GanState) -> tf.Tensor:
    """Returns whether all of the metrics that must be finite are."""
    values = [metrics[name] for name in finite_metrics(state) if name in metrics]
    return tf.reduce_all(tf.math.is_finite(values))


def finite_metrics(state: GanState) -> list[str]:
    """Returns the metrics that must be finite; not gradients where overflow is normal."""
    scaled = {
        f"grads/{name}_norm"
        for name, optimizer in (("d", state.d_optimizer), ("g", state.g_optimizer))
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    }
    return [name for name in FINITE if name not in scaled]

"""The default algorithm in JAX: `jit` around `lax.scan`, donated buffers, optax.

Images, order and latents live inside the compiled function; Python is entered once for 50 steps.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 2e-4, 0.5, 0.999, 1e-7
EMA_RAMP = 0.05
MOMENTUM, NORM_EPSILON = 0.8, 1e-3
STEPS_PER_CALL = 50

Params = list[dict[str, jax.Array]]


def loop(
    images: np.ndarray,
    *,
    bfloat16: bool = False,
    batch_size: int = 256,
    half_life: int = 20_000,
    seed: int = 0,
) -> Callable[[int], tuple[float, float]]:
    """Returns a function that does n steps and returns the losses of D and G at the last one.

    Args:
        images: [N, 28, 28, 1] uint8.
        bfloat16: Multiply in bfloat16; weights, BatchNorm, losses and Adam stay float32.
        batch_size: Images a batch.
        half_life: Of the average, in images.
        seed: Of weights, order and latents.
    """
    real = jnp.asarray(images.reshape(len(images), -1))
    dtype = jnp.bfloat16 if bfloat16 else jnp.float32
    adam = optax.adam(LEARNING_RATE, BETA_1, BETA_2, EPSILON)
    key = jax.random.key(seed)
    pixels, per_epoch = real.shape[1], len(images) // batch_size
    g, norms = init(jax.random.fold_in(key, 0), (100, 256, 512, 1024, pixels), norm=True)
    d, _ = init(jax.random.fold_in(key, 1), (pixels, 512, 256, 1), norm=False)
    state = (g, norms, d, adam.init(g), adam.init(d), g, 0)

    def g_loss_of(g: Params, norms: Any, d: Params, latents: jax.Array) -> tuple[jax.Array, Any]:
        fake_images, norms = generator(g, norms, latents, dtype)
        return jax.nn.softplus(-discriminator(d, fake_images, dtype)).mean(), norms

    def d_loss_of(d: Params, real_images: jax.Array, fake_images: jax.Array) -> jax.Array:
        logits = discriminator(d, jnp.concatenate([real_images, fake_images]), dtype)
        real_logits, fake_logits = jnp.split(logits, 2)
        return jax.nn.softplus(-real_logits).mean() + jax.nn.softplus(fake_logits).mean()

    def step(state: Any, real_images: jax.Array) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        g, norms, d, g_adam, d_adam, ema, count = state
        d_key, g_key = jax.random.split(jax.random.fold_in(key, count + 2))
        floats = real_images.astype(jnp.float32) / 127.5 - 1
        fake_images, _ = generator(g, norms, jax.random.normal(d_key, (batch_size, 100)), dtype)
        d_loss, gradients = jax.value_and_grad(d_loss_of)(d, floats, fake_images)
        updates, d_adam = adam.update(gradients, d_adam)
        d = optax.apply_updates(d, updates)
        latents = jax.random.normal(g_key, (batch_size, 100))
        both, gradients = jax.value_and_grad(g_loss_of, has_aux=True)(g, norms, d, latents)
        g_loss, norms = both
        updates, g_adam = adam.update(gradients, g_adam)
        g = optax.apply_updates(g, updates)
        span = jnp.minimum(half_life, EMA_RAMP * batch_size * (count + 1.0))
        ema = optax.incremental_update(g, ema, 1 - 0.5 ** (batch_size / span))
        return (g, norms, d, g_adam, d_adam, ema, count + 1), (d_loss, g_loss)

    def steps_of_a_call(state: Any, batches: jax.Array) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        state, losses = jax.lax.scan(lambda state, rows: step(state, real[rows]), state, batches)
        return state, (losses[0][-1], losses[1][-1])

    call = jax.jit(steps_of_a_call, donate_argnums=0)
    rng = np.random.default_rng(seed)
    order = np.empty([0, batch_size], np.int64)
    # Every leaf its own buffer: a donated one may not be there twice.
    state = jax.tree.map(jnp.array, state)

    def run(steps: int) -> tuple[float, float]:
        nonlocal state, order
        losses = None
        while steps:
            count = min(steps, STEPS_PER_CALL)
            while len(order) < count:
                epoch = rng.permutation(len(images))[: per_epoch * batch_size]
                order = np.concatenate([order, epoch.reshape(per_epoch, batch_size)])
            state, losses = call(state, order[:count])
            order, steps = order[count:], steps - count
        assert losses is not None
        return float(losses[0]), float(losses[1])

    return run


def init(key: jax.Array, widths: tuple[int, ...], norm: bool) -> tuple[Params, Any]:
    """Returns the layers of a network and the moving statistics of its BatchNorms."""
    params, norms = [], []
    glorot = jax.nn.initializers.glorot_uniform()
    for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        layer = {"kernel": glorot(jax.random.fold_in(key, i), (inputs, outputs))}
        layer["bias"] = jnp.zeros(outputs)
        if norm and i < len(widths) - 2:
            layer |= {"scale": jnp.ones(outputs), "shift": jnp.zeros(outputs)}
            norms.append((jnp.zeros(outputs), jnp.ones(outputs)))
        params.append(layer)
    return params, norms


def dense(layer: dict[str, jax.Array], x: jax.Array, dtype: Any) -> jax.Array:
    """Returns x W + b, multiplied in `dtype`."""
    return x.astype(dtype) @ layer["kernel"].astype(dtype) + layer["bias"].astype(dtype)


def generator(params: Params, norms: Any, latents: jax.Array, dtype: Any) -> tuple[jax.Array, Any]:
    """Returns flat images in -1..1 and the moving statistics after this batch."""
    x, moved = latents, []
    for layer, (mean, variance) in zip(params[:-1], norms, strict=True):
        x = jax.nn.leaky_relu(dense(layer, x, dtype), 0.2).astype(jnp.float32)
        here, spread = x.mean(0), x.var(0)
        x = (x - here) * jax.lax.rsqrt(spread + NORM_EPSILON) * layer["scale"] + layer["shift"]
        moved.append(
            (
                MOMENTUM * mean + (1 - MOMENTUM) * here,
                MOMENTUM * variance + (1 - MOMENTUM) * spread,
            )
        )
    return jnp.tanh(dense(params[-1], x, dtype).astype(jnp.float32)), moved


def discriminator(params: Params, images: jax.Array, dtype: Any) -> jax.Array:
    """Returns float32 logits [batch, 1]."""
    x = images
    for layer in params[:-1]:
        x = jax.nn.leaky_relu(dense(layer, x, dtype), 0.2)
    return dense(params[-1], x.astype(jnp.float32), jnp.float32)

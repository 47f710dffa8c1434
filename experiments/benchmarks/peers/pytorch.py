"""The default algorithm in PyTorch: eager or `torch.compile`, float32 or bfloat16 autocast.

Fused Adam, fakes for D without autograd's bookkeeping, D's gradients switched off while G learns,
nothing read back before the last step. Real and fake images go through D as one batch.
"""

import copy
import itertools
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LEARNING_RATE, BETAS, EPSILON = 2e-4, (0.5, 0.999), 1e-7
EMA_RAMP = 0.05


def loop(
    images: np.ndarray,
    *,
    compiled: bool = False,
    bfloat16: bool = False,
    batch_size: int = 256,
    half_life: int = 20_000,
    seed: int = 0,
) -> Callable[[int], tuple[float, float]]:
    """Returns a function that does n steps and returns the losses of D and G at the last one.

    Args:
        images: [N, 28, 28, 1] uint8.
        compiled: Compile forward and backward passes with `torch.compile`.
        bfloat16: Use autocast.
        batch_size: Images a batch.
        half_life: Of the average, in images.
        seed: Of weights, order and latents.
    """
    torch.manual_seed(seed)
    real = torch.from_numpy(images).flatten(1)
    g, d = networks(real.shape[1])
    ema = copy.deepcopy(g).requires_grad_(False)
    adam = partial(torch.optim.Adam, lr=LEARNING_RATE, betas=BETAS, eps=EPSILON, fused=True)
    g_adam, d_adam = adam(g.parameters()), adam(d.parameters())
    autocast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=bfloat16)
    weights, averages = list(g.parameters()), list(ema.parameters())

    def d_loss_of(both: torch.Tensor) -> torch.Tensor:
        with autocast():
            logits = d(both).float()
        real_logits, fake_logits = logits.chunk(2)
        return functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()

    def g_loss_of(latents: torch.Tensor) -> torch.Tensor:
        with autocast():
            logits = d(g(latents)).float()
        return functional.softplus(-logits).mean()

    if compiled:
        d_loss_of, g_loss_of = torch.compile(d_loss_of), torch.compile(g_loss_of)
    batches = indices(len(real), batch_size)
    steps_done = itertools.count()

    def step() -> tuple[torch.Tensor, torch.Tensor]:
        real_images = real[next(batches)].float().div_(127.5).sub_(1)
        with torch.no_grad(), autocast():  # inference tensors may not enter autograd
            fake_images = g(torch.randn(batch_size, 100)).float()
        d_loss = d_loss_of(torch.cat([real_images, fake_images]))
        d_adam.zero_grad(set_to_none=True)
        d_loss.backward()
        d_adam.step()

        d.requires_grad_(False)
        g_loss = g_loss_of(torch.randn(batch_size, 100))
        g_adam.zero_grad(set_to_none=True)
        g_loss.backward()
        g_adam.step()
        d.requires_grad_(True)

        span = min(half_life, EMA_RAMP * batch_size * (next(steps_done) + 1))
        with torch.no_grad():
            torch._foreach_lerp_(averages, weights, 1 - 0.5 ** (batch_size / span))
        return d_loss.detach(), g_loss.detach()

    def run(steps: int) -> tuple[float, float]:
        for _ in range(steps):
            losses = step()
        return losses[0].item(), losses[1].item()

    return run


def networks(pixels: int) -> tuple[nn.Module, nn.Module]:
    """Returns generator and discriminator of the default preset, on flat images in -1..1."""
    layers: list[nn.Module] = []
    inputs = 100
    for width in (256, 512, 1024):
        # Keras' momentum 0.8 is 0.2 here.
        norm = nn.BatchNorm1d(width, eps=1e-3, momentum=0.2)
        layers += [nn.Linear(inputs, width), nn.LeakyReLU(0.2), norm]
        inputs = width
    g = nn.Sequential(*layers, nn.Linear(inputs, pixels), nn.Tanh())
    layers, inputs = [], pixels
    for width in (512, 256):
        layers += [nn.Linear(inputs, width), nn.LeakyReLU(0.2)]
        inputs = width
    d = nn.Sequential(*layers, nn.Linear(inputs, 1))
    for module in itertools.chain(g, d):
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return g, d


def indices(size: int, batch_size: int) -> Iterator[torch.Tensor]:
    """Yields the indices of batches, epoch after epoch."""
    while True:
        yield from torch.randperm(size)[: size // batch_size * batch_size].split(batch_size)

"""What images show without a feature network: their grey levels and their radial power spectrum.

Feature networks look for shapes and forgive both. Pure NumPy, in float64.
"""

from __future__ import annotations

from typing import NamedTuple

from gan.lazy import np

LEVELS = 256  # grey levels of a channel, each with a bin of its own
ROUNDING = 1 / 12  # power that rounding to whole grey levels adds to a pixel; less is no signal
MOST_VALUES = 2**27  # of images that a spectrum is of: 170,000 of 28x28, 682 of 256x256 in colour
CHUNK_VALUES = 2**22  # of images that are transformed at once


class PixelStatistics(NamedTuple):
    """Two statistics of N images."""

    histograms: np.ndarray  # [C, LEVELS] float64, each channel's shares of its pixels
    spectrum: np.ndarray  # [rings] float64, see `radial_spectrum`


def pixel_statistics(images: np.ndarray) -> PixelStatistics:
    """Returns the statistics of images [N, H, W, C] uint8.

    Of images with more than `MOST_VALUES` values together the spectrum is that of some, spread
    evenly over all of them; a mean over so many pixels hardly moves any more.
    """
    count = max(1, min(len(images), MOST_VALUES // images[0].size))
    chosen = np.linspace(0, len(images) - 1, count).round().astype(int)
    some = images if count == len(images) else images[chosen]
    return PixelStatistics(grey_levels(images), radial_spectrum(some))


def grey_levels(images: np.ndarray) -> np.ndarray:
    """Returns the histogram of each channel, [C, LEVELS] that add up to 1, of uint8 images."""
    counts = [
        np.bincount(images[..., channel].ravel(), minlength=LEVELS)
        for channel in range(images.shape[-1])
    ]
    return np.array(counts) / counts[0].sum()


def radial_spectrum(images: np.ndarray) -> np.ndarray:
    """Returns the mean power at each spatial frequency, whatever its direction, [rings].

    Ring r holds the frequencies of r - 1/2 to r + 1/2 periods over the longer side, from r = 1 on
    (0 is the mean brightness) to the corners of the spectrum. The power is |DFT|^2 / (H W), of
    grey levels 0..255, its mean over the frequencies of the ring, over channels and over images.

    Args:
        images: [N, H, W, C] uint8.

    References:
        Durall et al. 2020, arXiv:2003.01826, section 3.1 (azimuthal integration), who compare
        the spectra of single images.
    """
    count, height, width, channels = images.shape
    power = np.zeros((height, width // 2 + 1))
    at_once = max(1, CHUNK_VALUES // images[0].size)
    for start in range(0, count, at_once):
        part = images[start : start + at_once].astype(np.float64)
        power += (np.abs(np.fft.rfft2(part, axes=(1, 2))) ** 2).sum((0, 3))
    power /= count * channels * height * width

    # Real images have the same power at opposite frequencies; rfft2 gives one of the two.
    twice = np.full(power.shape, 2.0)
    twice[:, 0] = 1.0
    if width % 2 == 0:
        twice[:, -1] = 1.0
    across = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    ring = np.rint(across * max(height, width)).astype(int).ravel()
    frequencies = np.bincount(ring, twice.ravel())
    there = frequencies > 0  # narrow images have none in some rings
    there[0] = False
    sums = np.bincount(ring, (twice * power).ravel())
    spectrum: np.ndarray = sums[there] / frequencies[there]
    return spectrum


def histogram_distance(real: PixelStatistics, fake: PixelStatistics) -> float:
    """Returns the total variation distance of the histograms, the mean over channels.

    It is the share of pixels that would have to get another grey level, however near, and so sees
    a missing level that the distance of means or Wasserstein's would hardly notice.
    """
    return float(np.abs(real.histograms - fake.histograms).sum(1).mean() / 2)


def spectrum_ratios(real: PixelStatistics, fake: PixelStatistics) -> np.ndarray:
    """Returns fake over real power in each ring, [rings]; 1.18 is 18 % too much."""
    ratios: np.ndarray = np.maximum(fake.spectrum, ROUNDING) / np.maximum(real.spectrum, ROUNDING)
    return ratios


def spectrum_distance(real: PixelStatistics, fake: PixelStatistics) -> float:
    """Returns the mean over rings of the absolute logarithm of `spectrum_ratios`.

    0.1 means that the power is off by about 10 % at the mean frequency, in either direction.
    """
    return float(np.abs(np.log(spectrum_ratios(real, fake))).mean())

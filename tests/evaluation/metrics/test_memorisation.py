"""Shares of samples near to training images, where it is known how many are copies."""

import numpy as np
import pytest

from gan.evaluation.metrics.distances import nearest
from gan.evaluation.metrics.memorisation import dcr_share, memorisation_threshold, memorised_share
from support import gaussians


def test_memorised_shares():
    training, test = gaussians(0, 3000, 4), gaussians(1, 1000, 4)
    threshold = memorisation_threshold(nearest(test, training)[0])
    share = lambda x: memorised_share(nearest(x, training)[0], threshold)  # noqa: E731
    assert share(test) == pytest.approx(0.01, abs=0.001)
    assert share(gaussians(2, 1000, 4)) == pytest.approx(0.01, abs=0.014)
    assert share(np.concatenate([training[:300], gaussians(3, 700, 4)])) == pytest.approx(
        0.307, abs=0.014
    )
    assert share(gaussians(4, 1000, 4, mean=9)) == 0


def test_the_share_nearer_to_training_images_is_their_part_of_all_images():
    """Where nothing is copied, even of plain samples, which look memorised; ties count half."""
    training, test = gaussians(0, 3000, 4), gaussians(1, 1000, 4)
    threshold = memorisation_threshold(nearest(test, training)[0])
    plain = 0.7 * gaussians(3, 2000, 4)
    assert memorised_share(nearest(plain, training)[0], threshold) > 0.015
    share = lambda x: dcr_share(  # noqa: E731
        nearest(x, training)[0], nearest(x, test)[0]
    )
    for samples in (gaussians(2, 2000, 4), plain, 1.5 * gaussians(4, 2000, 4)):
        assert share(samples) == pytest.approx(0.75, abs=0.03)
    assert share(np.concatenate([training[:400], gaussians(5, 1600, 4)])) == pytest.approx(
        0.2 + 0.8 * 0.75, abs=0.03
    )
    assert dcr_share(np.array([1, 2, 3, 3]), np.array([2, 2, 1, 4])) == 0.625

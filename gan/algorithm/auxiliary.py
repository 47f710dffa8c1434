"""What both players minimise through a second output of D, its head, per example.

D then returns logits [batch, 1] and a head [batch, units], both float32; `Judgement` holds them.
The halves of a row get the head of real and of fake images, the labels [batch] int32 that real and
fake images have, and the latents [batch, latent_dim] of the fake ones, and return [batch]; the step
takes the mean and the weight. With `--labelled_images` the real images are some of those, and the
labels say nothing of fakes. An objective is one row of `AUXILIARIES`, and one of the same name in
gan/run/heads.py, which says what the head is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gan.algorithm import collectives
from gan.lazy import tf
from gan.run.heads import HEADS, Codes, Head

# (real_head, fake_head, labels, latents, codes) -> [batch]
AuxiliaryFunction = Callable[..., "tf.Tensor"]


class Judgement(NamedTuple):
    """What D says of images."""

    logits: tf.Tensor  # [batch, 1] float32
    head: tf.Tensor | None = None  # [batch, units] float32; None: D has no second output


class Auxiliary(NamedTuple):
    """A row: what each player minimises through the head, beside its loss."""

    head: Head
    discriminator: AuxiliaryFunction
    generator: AuxiliaryFunction | None  # None: nothing
    accuracy: AuxiliaryFunction  # how often the head is right, 0 or 1 an example, for the log


def class_entropy(head: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns -log p(label), [batch], where the head [batch, classes] are the logits of p."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, head)


def names_label(head: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns 1 where the largest entry of the head is that of the label, else 0."""
    return tf.cast(tf.equal(tf.argmax(head, 1, tf.int32), labels), tf.float32)


def category_of(latents: tf.Tensor, codes: Codes) -> tf.Tensor:
    """Returns the categorical code [batch] int32 of latents, each value equally likely."""
    return tf.argmax(latents[:, : codes.categories], 1, tf.int32)


def code_entropy(
    real_head: tf.Tensor,
    fake_head: tf.Tensor,
    labels: tf.Tensor,
    latents: tf.Tensor,
    codes: Codes,
) -> tf.Tensor:
    """Returns -log Q(c given G(z, c)) up to a constant: what bounds the mutual information.

    The cross-entropy of the category, and 1/2 (c - mean)^2 for each continuous code, which Q has as
    a Gaussian of variance 1.

    References:
        Chen et al. 2016, arXiv:1606.03657, equations 5 and 6. Continuous codes there are uniform in
        -1..1, in a Gaussian of a learned variance.
    """
    del real_head, labels
    split = codes.categories
    means, values = fake_head[:, split:], latents[:, split : codes.entries()]
    loss = 0.5 * tf.reduce_sum(tf.square(values - means), 1)
    return (
        loss + class_entropy(fake_head[:, :split], category_of(latents, codes)) if split else loss
    )


def finds_code(
    real_head: tf.Tensor,
    fake_head: tf.Tensor,
    labels: tf.Tensor,
    latents: tf.Tensor,
    codes: Codes,
) -> tf.Tensor:
    """Returns 1 where the head finds the category of a fake image; without one, its first sign."""
    del real_head, labels
    if not codes.categories:
        return tf.cast(tf.equal(fake_head[:, 0] > 0, latents[:, 0] > 0), tf.float32)
    return names_label(fake_head[:, : codes.categories], category_of(latents, codes))


def classes_of_both(
    real_head: tf.Tensor, fake_head: tf.Tensor, labels: tf.Tensor, *others: object
) -> tf.Tensor:
    """Returns -log P(class of a real image) - log P(class that a fake one was made for).

    References:
        Odena et al. 2017, arXiv:1610.09585, equation 3.
    """
    del others
    return class_entropy(real_head, labels) + class_entropy(fake_head, labels)


def class_of_fake(
    real_head: tf.Tensor, fake_head: tf.Tensor, labels: tf.Tensor, *others: object
) -> tf.Tensor:
    """Returns -log P(class that a fake image was made for).

    References:
        Odena et al. 2017, arXiv:1610.09585, equation 3.
    """
    del real_head, others
    return class_entropy(fake_head, labels)


def class_of_real(
    real_head: tf.Tensor, fake_head: tf.Tensor, labels: tf.Tensor, *others: object
) -> tf.Tensor:
    """Returns -log p(class of a real image); the other classes, "fake" among them, are D's logit.

    References:
        Salimans et al. 2016, arXiv:1606.03498, section 5; Odena 2016, arXiv:1606.01583.
    """
    del fake_head, others
    return class_entropy(real_head, labels)


def names_real(
    real_head: tf.Tensor, fake_head: tf.Tensor, labels: tf.Tensor, *others: object
) -> tf.Tensor:
    """Returns 1 where the head names the class of a real image, else 0."""
    del fake_head, others
    return names_label(real_head, labels)


AUXILIARIES: dict[str, Auxiliary | None] = {
    "none": None,
    "infogan": Auxiliary(HEADS["infogan"], code_entropy, code_entropy, finds_code),
    "acgan": Auxiliary(HEADS["acgan"], classes_of_both, class_of_fake, names_real),
    "sgan": Auxiliary(HEADS["sgan"], class_of_real, None, names_real),
}


class LabelledImages(NamedTuple):
    """The images whose labels D may learn from, where these are few."""

    images: tf.Tensor  # [n, H, W, C] float32 in -1..1
    labels: tf.Tensor  # [n] int32

    def draw(self, batch_size: int, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns so many of them with their labels, any one more than once."""
        count = self.labels.shape[0]
        chosen = collectives.uniform([batch_size], key, 0, count, tf.int32)
        return tf.gather(self.images, chosen), tf.gather(self.labels, chosen)


class WeightedAuxiliary(NamedTuple):
    """An auxiliary objective as the step adds it to both players' losses."""

    row: Auxiliary | None = None  # None adds nothing
    weight: float = 1.0
    codes: Codes = Codes()
    labelled: LabelledImages | None = None  # None: all real images have labels

    def of_discriminator(
        self, real: Judgement, fake: Judgement, labels: tf.Tensor, latents: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns D's weighted mean and the share of heads that are right, by metric."""
        if self.row is None:
            return {}
        arguments = (real.head, fake.head, labels, latents, self.codes)
        return {
            "loss/d_auxiliary": self.weight * tf.reduce_mean(self.row.discriminator(*arguments)),
            "accuracy/auxiliary": tf.reduce_mean(self.row.accuracy(*arguments)),
        }

    def of_generator(
        self, real: Judgement, fake: Judgement, labels: tf.Tensor, latents: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns G's weighted mean, by metric."""
        if self.row is None:
            return {}
        if self.row.generator is None:
            return {"loss/g_auxiliary": tf.zeros([])}
        loss = self.row.generator(real.head, fake.head, labels, latents, self.codes)
        return {"loss/g_auxiliary": self.weight * tf.reduce_mean(loss)}


AUXILIARY_METRICS = ("loss/d_auxiliary", "loss/g_auxiliary", "accuracy/auxiliary")
NO_AUXILIARY = WeightedAuxiliary()

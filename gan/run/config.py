"""Every hyper-parameter once: name, type, default, unit, valid values and meaning.

Flags, ``--help`` and ``config.json`` are made from `Config`. Which names of data sets, networks,
losses and so on are valid stands in their tables, see gan/training/checks.py.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from gan.errors import UserError
from gan.run.fields import INT32, check, option
from gan.run.heads import ALL, HEADS, Codes

FOLDER = "image_folder:"  # and a path
# How its images are read.
OF_FOLDER = ("image_size", "image_channels", "background", "skip_bad_images", "test_share")
NORMS = ("default", "none", "batch", "spectral")
SCHEDULES = ("alternating", "simultaneous", "classic")
STRATEGIES = ("auto", "none", "mirrored", "multiworker")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run, without the place where it is stored."""

    dataset: str = option("mnist", "data set", path_after=FOLDER)
    data_dir: str = option(
        "",
        "directory with the data set's files; empty: look for them",
        resumable=True,
        path_after="",
    )
    image_size: int = option(32, "side of the images of a folder, in pixels", low=8, below=4096)
    image_channels: int = option(3, "their channels: 1 for grey, 3 for colour", low=1, below=4)
    background: str = option("white", "colour behind what is transparent in them")
    skip_bad_images: bool = option(False, "leave out files of a folder that are no sound images")
    test_share: float = option(
        0.1, "share of a folder that is held out for metrics, see docs/data.md", low=0, below=1
    )
    data_cache: str = option(
        "",
        "directory that keeps the pixels of folders; empty: the user's cache",
        resumable=True,
        path_after="",
    )
    train_images: int = option(
        0,
        "so many training images, a fixed choice with classes in equal parts; 0: all",
        low=0,
        below=INT32,
    )
    generator: str = option("mlp", "generator network")
    discriminator: str = option("mlp", "discriminator network")
    g_norm: str = option(
        "default", "generator's normalisation; default: what its paper has", choices=NORMS
    )
    d_norm: str = option("default", "discriminator's normalisation, likewise", choices=NORMS)
    halvings: int = option(
        0,
        "how often convolutional networks halve images; 0: until 4 to 7 pixels are left",
        low=0,
        below=12,
    )
    conditional: bool = option(False, "both networks get the class of each image")
    latent_dim: int = option(100, "entries of a latent vector, each ~ N(0, 1)", low=1, below=INT32)
    loss: str = option("non_saturating", "pair of losses")
    real_label: float = option(1.0, "D's target for real images; 1: no label smoothing", above=0)
    fake_label: float = option(0.0, "D's target for fake images; 0: no label smoothing", low=0)
    auxiliary: str = option(
        "none", "what a second output of D learns, see docs/algorithm.md#an-auxiliary-head"
    )
    auxiliary_weight: float = option(1.0, "its weight in both players' losses", above=0)
    categories: int = option(
        10, "infogan: values of its categorical code; 0: no such code", low=0, below=INT32
    )
    continuous_codes: int = option(
        2, "infogan: its continuous codes, each ~ N(0, 1)", low=0, below=INT32
    )
    labelled_images: str = option(
        ALL, "sgan: training images whose labels D learns from, as many of each class; or all"
    )
    penalty: str = option("none", "gradient penalty of the discriminator")
    penalty_weight: float = option(10.0, "its weight in D's loss, at the start", low=0)
    penalty_decay: float = option(
        1.0, "share of that weight which is left after --penalty_decay_steps", low=0
    )
    penalty_decay_steps: int = option(
        0, "steps in which the weight falls there, by half a cosine", low=0, below=INT32
    )
    schedule: str = option(
        "alternating", "order of the updates in a step, see docs/algorithm.md", choices=SCHEDULES
    )
    d_steps: int = option(
        1, "discriminator updates a step, each on its own real batch", low=1, below=INT32
    )
    d_warmup_steps: int = option(
        0, "first steps, in which only the discriminator learns", low=0, below=INT32
    )
    batch_size: int = option(256, "real images, and fake images, an update", low=1, below=INT32)
    steps: int = option(30_000, "training steps in all", low=1, below=INT32, resumable=True)
    augment: str = option("none", "differentiable augmentation of all that the discriminator sees")
    augment_probability: float = option(
        1.0, "probability with which each augmentation changes an image", low=0, most=1
    )
    ada_target: float = option(
        0.0,
        "mean sign of D's logits of real images to which ADA adjusts that probability, 0.6 in its "
        "paper; 0: it stays",
        low=0,
        below=1,
    )
    flip: bool = option(False, "real images are mirrored, left to right, half of the time")
    pack: int = option(
        1,
        "images, all real or all fake, that the discriminator sees at once (PacGAN)",
        low=1,
        below=INT32,
    )
    d_weight_clip: float = option(
        0.0, "bound of D's weights after each of its updates; 0: none", low=0
    )
    d_learning_rate_decay: str = option(
        "constant", "how the discriminator's learning rate falls to 0"
    )
    g_learning_rate_decay: str = option("constant", "the generator's, likewise")
    learning_rate_decay_steps: int = option(
        30_000, "steps in which they do, unless constant", low=1, below=INT32
    )
    optimizer: str = option("adam", "optimizer of both players")
    d_learning_rate: float = option(2e-4, "discriminator's learning rate", above=0)
    g_learning_rate: float = option(2e-4, "generator's learning rate", above=0)
    beta_1: float = option(0.5, "Adam's decay of the gradient's mean, a step", low=0, below=1)
    beta_2: float = option(
        0.999, "Adam's and RMSprop's decay of the squared gradient, a step", low=0, below=1
    )
    ema_half_life: int = option(
        200_000,
        "half-life of the generator's weight average, in images; 0: no averaging",
        low=0,
        below=INT32,
    )
    init_from: str = option(
        "",
        "run, or RUN/checkpoints/step-N, whose networks and average this run starts from; empty: "
        "from random weights",
        path_after="",
    )
    posthoc_averages: bool = option(
        False, "store two averages of G at each checkpoint, for any average after training"
    )
    seed: int = option(0, "seed of weights, noise and data order", low=0, below=INT32)
    precision: str = option(
        "auto", "Keras dtype policy; auto: by the device, see docs/algorithm.md", choices=PRECISIONS
    )
    jit_compile: bool | None = option(
        None, "compile the step with XLA; unset: where it is faster (GPUs; dense float32)"
    )
    deterministic: bool = option(
        False, "on GPUs too, compute the same bits in each process; slower there"
    )
    strategy: str = option(
        "auto",
        "devices that share each batch, see docs/distributed.md; auto: all machines of TF_CONFIG, "
        "else all GPUs",
        choices=STRATEGIES,
        resumable=True,
    )
    sync_batch_norm: bool = option(
        False, "BatchNorm looks at the whole batch, not at each device's part"
    )
    steps_per_call: int = option(
        50, "most steps in one call of the compiled function", low=1, below=INT32, resumable=True
    )
    log_every: int = option(100, "steps between log records", low=1, below=INT32, resumable=True)
    sample_every: int = option(
        200, "steps between sample grids", low=1, below=INT32, resumable=True
    )
    checkpoint_every: int = option(
        1000, "steps between checkpoints", low=1, below=INT32, resumable=True
    )
    keep_checkpoints: int = option(
        3, "newest checkpoints that are kept", low=1, below=INT32, resumable=True
    )
    evaluate_every: int = option(
        5000, "steps between light evaluations; 0: none", low=0, below=INT32, resumable=True
    )
    keep_best: str = option(
        "none",
        "metric of the light evaluation whose best checkpoint is kept beside the newest ones",
        choices=("none", "fcd"),
        resumable=True,
    )
    on_collapse: str = option(
        "warn",
        "what a sign of collapse does, see docs/evaluation.md",
        choices=("warn", "stop"),
        resumable=True,
    )
    on_nan: str = option(
        "stop",
        "what a number that is not finite does; rollback: go on from the newest checkpoint with "
        "other noise, at most 3 times",
        choices=("stop", "rollback"),
        resumable=True,
    )
    sample_weights: str = option(
        "ema",
        "weights that draw sample grids and go to generator.keras",
        choices=("ema", "raw"),
        resumable=True,
    )

    def __post_init__(self) -> None:
        """Checks each field, then what must hold between fields."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            try:
                checked = check(field, value)
            except ValueError as error:
                raise UserError(f"--{field.name}={value}: {error}") from None
            object.__setattr__(self, field.name, checked)
        if self.schedule == "classic" and self.loss != "non_saturating":
            raise UserError(
                f"--loss={self.loss}: --schedule=classic has its own, valid is non_saturating"
            )
        if self.fake_label >= self.real_label:
            raise UserError(f"--fake_label={self.fake_label}: must be below --real_label")
        for name in OF_FOLDER:
            is_default = getattr(self, name) == getattr(type(self), name)
            if not is_default and not self.dataset.startswith(FOLDER):
                raise UserError(
                    f"--{name}={getattr(self, name)}: is for --dataset={FOLDER}PATH only"
                )
        if self.penalty_decay != 1 and not self.penalty_decay_steps:
            raise UserError(
                f"--penalty_decay={self.penalty_decay}: needs --penalty_decay_steps, in which the "
                "weight falls"
            )
        for player in ("d", "g"):
            decay = getattr(self, f"{player}_learning_rate_decay")
            if decay != "constant" and self.steps > self.learning_rate_decay_steps:
                raise UserError(
                    f"--steps={self.steps}: {player.upper()} learns nothing after "
                    f"--learning_rate_decay_steps={self.learning_rate_decay_steps}, with "
                    f"--{player}_learning_rate_decay={decay}; both must be raised, in a new run"
                )
        if self.g_learning_rate_decay != "constant" and (
            self.d_warmup_steps >= self.learning_rate_decay_steps
        ):
            raise UserError(
                f"--d_warmup_steps={self.d_warmup_steps}: G would begin to learn when its learning "
                f"rate is 0, must be below --learning_rate_decay_steps="
                f"{self.learning_rate_decay_steps}"
            )
        if self.image_channels == 2:
            raise UserError("--image_channels=2: must be 1 or 3")
        if self.batch_size % self.pack:
            raise UserError(f"--pack={self.pack}: must divide --batch_size={self.batch_size}")
        if self.conditional and self.pack > 1:
            raise UserError(f"--pack={self.pack}: must be 1 with --conditional, D gets one label")
        for name in ("penalty", "augment", "pack", "d_weight_clip", "auxiliary"):
            valid = getattr(type(self), name)
            if self.schedule == "classic" and getattr(self, name) != valid:
                raise UserError(
                    f"--{name}={getattr(self, name)}: --schedule=classic has none, "
                    f"valid is {valid or 0}"
                )
        for name in ("augment_probability", "ada_target"):
            value = getattr(self, name)
            if value != getattr(type(self), name) and self.augment == "none":
                raise UserError(f"--{name}={value}: needs --augment, whose probability it is about")
        if self.ada_target and self.augment_probability != 1:
            raise UserError(
                f"--augment_probability={self.augment_probability}: --ada_target={self.ada_target} "
                "adjusts it, must be left out"
            )
        self.check_auxiliary()
        if self.keep_best != "none" and not self.evaluate_every:
            raise UserError(
                f"--keep_best={self.keep_best}: --evaluate_every=0 gives it nothing to compare, "
                "must be at least 1"
            )

    def check_auxiliary(self) -> None:
        """Checks what must hold between the fields of an auxiliary objective and others."""
        name, head = self.auxiliary, HEADS.get(self.auxiliary)
        few = bool(head and head.few_labels)
        for field, right in (
            ("auxiliary_weight", bool(head)),
            ("categories", bool(head and head.finds_codes)),
            ("continuous_codes", bool(head and head.finds_codes)),
            ("labelled_images", few),
        ):
            value = getattr(self, field)
            if value != getattr(type(self), field) and not right:
                raise UserError(f"--{field}={value}: is not for --auxiliary={name}")
        if few and self.labelled_images != ALL and not self.labelled_count:
            raise UserError(
                f"--labelled_images={self.labelled_images}: must be {ALL} or an integer at least 1"
            )
        if head is None:
            return
        if self.conditional != head.conditional:
            told = "G gets the class, and D names it" if head.conditional else "G gets no class"
            raise UserError(
                f"--auxiliary={name}: --conditional must be {str(head.conditional).lower()}, {told}"
            )
        if self.pack > 1:
            raise UserError(f"--pack={self.pack}: must be 1 with --auxiliary={name}")
        codes = self.codes
        if head.finds_codes and (
            codes.categories == 1 or not 0 < codes.entries() <= self.latent_dim
        ):
            raise UserError(
                f"--categories={codes.categories} --continuous_codes={codes.continuous}: must be "
                f"0 or at least 2 categories, at least one code, and at most --latent_dim="
                f"{self.latent_dim} entries in all"
            )

    @property
    def codes(self) -> Codes:
        """Which latent entries are codes; none without an objective that finds them."""
        head = HEADS.get(self.auxiliary)
        finds = head is not None and head.finds_codes
        return Codes(self.categories, self.continuous_codes) if finds else Codes()

    @property
    def labelled_count(self) -> int:
        """How many training images have labels for D's head; 0: all."""
        text = self.labelled_images
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def from_dict(values: Mapping[str, Any]) -> Config:
    """Returns the configuration with these fields, and defaults for the rest.

    Raises:
        UserError: Unknown field or invalid value.
    """
    names = [field.name for field in dataclasses.fields(Config)]
    for name in values:
        if name not in names:
            raise UserError(f"--{name}: unknown, valid are {', '.join(names)}")
    return Config(**values)


def changed_fields(old: Config, new: Config) -> list[str]:
    """Returns ``name: old -> new`` for each field that a continuation may not change.

    A folder may have moved: its images are compared instead, see gan/training/identity.py.
    """
    changes = []
    for field in dataclasses.fields(Config):
        before, after = getattr(old, field.name), getattr(new, field.name)
        moved = field.name == "dataset" and before.startswith(FOLDER) and after.startswith(FOLDER)
        if before != after and not moved and not field.metadata["resumable"]:
            changes.append(f"{field.name}: {before} -> {after}")
    return changes

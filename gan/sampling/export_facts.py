"""What an export says of itself: facts about its generator and its run, kept inside of its file.

The same facts in every format: text, numbers and lists. ONNX holds them in `metadata_props`, where
all but text is JSON; a SavedModel in ``assets.extra``, which TensorFlow leaves to users; Keras and
LiteRT files are also ZIP archives, or have one at their end, and hold them there.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from gan.errors import UserError
from gan.lazy import keras
from gan.run import data_facts, saved_config
from gan.run.config import FOLDER, Config
from gan.run.files import MOST_TEXT, AtMost, open_file, read_bytes, read_text
from gan.run.layout import METRICS_FILE
from gan.run.reader import is_of_the_end, summary_of_generator
from gan.run.records import read_metrics
from gan.run.streams import printable
from gan.sampling import packaged
from gan.version import __version__

FILE = "tapegan.json"  # in archives, and in assets.extra of a SavedModel
TO_UINT8 = "round(clip(images * 0.5 + 0.5, 0, 1) * 255)"
TEXTS = (
    "tapegan", "run", "weights", "dataset", "latents", "labels", "images", "points", "to_uint8",
)  # fmt: skip

Facts: TypeAlias = Mapping[str, Any]  # what json.dumps writes


def facts_of_generator(generator: keras.Model) -> dict[str, Any]:
    """Returns what a generator takes and makes.

    Names are those of the exports' inputs and outputs. "labels" and "classes" are of conditional
    generators only; points have no range.
    """
    from gan.models.checks import classes_of  # here: it imports TensorFlow

    dim, made = generator.inputs[0].shape[-1], list(generator.output_shape[1:])
    sizes = ", ".join(map(str, made))
    facts: dict[str, Any] = {
        "tapegan": __version__,
        "latents": f"float32 [batch, {dim}], entries independent, from N(0, 1)",
        "latent_dim": dim,
    }
    if classes := classes_of(generator):
        facts |= {"labels": f"int32 [batch], 0 to {classes - 1}", "classes": classes}
    if len(made) == 1:
        return {**facts, "points": f"float32 [batch, {sizes}]"}
    return {
        **facts,
        "images": f"float32 [batch, {sizes}], -1 to 1",
        "image_shape": made,
        "image_range": [-1, 1],
        "to_uint8": TO_UINT8,
    }


def output_name(generator: keras.Model) -> str:
    """Returns what exports call what a generator makes: "images", or "points"."""
    return "images" if len(generator.output_shape) == 4 else "points"


def facts_of_run(
    path: Path,
    step: int | None,
    checkpoint: str = "",
    weights: str = "",
    ema_sigma: float = 0.0,
) -> dict[str, Any]:
    """Returns where a generator comes from; {} of a Keras file, which does not say.

    Args:
        path: A run, a Keras file, or the name of a generator that comes with the package.
        step: How many steps it was trained, None if that is not known.
        checkpoint: Where its weights are from; "": the run's generator.keras.
        weights: "ema" or "raw"; "": those that the run itself draws from.
        ema_sigma: Width of a post-hoc average, 0 if it is none.
    """
    if packaged.is_packaged(path):
        record = packaged.record_of(str(path))
        facts: dict[str, Any] = {"run": str(path), "weights": record["config"]["sample_weights"]}
        names, dataset = record["class_names"], record["dataset"]
    elif path.is_file():
        return {}
    else:
        config, known = saved_config.read_config(path), data_facts.read_data_facts(path)
        drawn = config.sample_weights if checkpoint else weights_at_end(path, config)
        kind = "posthoc" if ema_sigma else weights or drawn
        facts = {"run": path.resolve().name}
        if kind:
            facts["weights"] = kind
        if ema_sigma:
            facts["ema_sigma"] = ema_sigma
        names, dataset = known.class_names if known and config.conditional else (), config.dataset
    facts |= {"step": step} if step is not None else {}
    facts |= {"dataset": without_place(dataset)} | ({"class_names": list(names)} if names else {})
    return {
        key: printable(value) if isinstance(value, str) else value for key, value in facts.items()
    }


def without_place(dataset: str) -> str:
    """Returns a --dataset; of a folder its name only: where it lies is for nobody else."""
    if not dataset.startswith(FOLDER):
        return dataset
    return FOLDER + Path(dataset.removeprefix(FOLDER)).name


def weights_at_end(run_dir: Path, config: Config) -> str:
    """Returns which weights a run's generator.keras has: "ema", "raw", "" if that is not known.

    --sample_weights may change when a run goes on, and that file only when it ends again.
    """
    summary = summary_of_generator(run_dir)
    try:
        metrics = read_metrics(run_dir / METRICS_FILE)
    except UserError:
        return ""
    if "weights" in summary:
        return str(summary["weights"])
    older = summary and not (metrics and not is_of_the_end(summary, metrics[-1]["step"]))
    return config.sample_weights if older else ""


def write_in_archive(path: Path, facts: Facts) -> None:
    """Adds them to a ZIP archive, or behind a file that is none."""
    member = zipfile.ZipInfo(FILE)  # of no time: the same generator makes the same file
    member.external_attr = 0o644 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, json.dumps(facts, indent=2) + "\n")


def read_in_archive(path: Path) -> Facts:
    """Returns those in a ZIP archive, or in one at the end of a file."""
    with open_file(path) as whole, zipfile.ZipFile(whole) as archive, archive.open(FILE) as file:
        return parse(AtMost(file, MOST_TEXT).read())


def write_in_directory(path: Path, facts: Facts) -> None:
    """Adds them to a SavedModel."""
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / FILE).write_text(json.dumps(facts, indent=2) + "\n")


def read_in_directory(path: Path) -> Facts:
    """Returns those of a SavedModel."""
    return parse(read_text(path / "assets.extra" / FILE))


def write_in_onnx(path: Path, facts: Facts) -> None:
    """Adds them to a model, and names the first dimension of what it takes and makes `batch`.

    tf2onnx numbers unknown dimensions, each apart, as if they could differ.
    """
    import onnx

    model = onnx.load(path)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in facts.items()}
    onnx.helper.set_model_props(model, texts)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def read_in_onnx(path: Path) -> Facts:
    """Returns those of a model; `TEXTS` are the keys of what is not JSON there."""
    import onnx

    model = onnx.load_model_from_string(read_bytes(path))
    texts = {item.key: item.value for item in model.metadata_props}
    return {key: text if key in TEXTS else json.loads(text) for key, text in texts.items()}


def parse(text: str | bytes) -> Facts:
    """Returns the facts in JSON.

    Raises:
        ValueError: It is something else.
    """
    facts = json.loads(text)
    if not isinstance(facts, dict):
        raise ValueError(f"{FILE} must hold an object")
    return facts

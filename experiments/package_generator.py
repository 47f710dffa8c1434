"""Makes a generator that comes with the package: ``python -m experiments.package_generator``.

Those in gan/sampling/weights were made by it, from runs of the preset `small`.
"""

import dataclasses
import hashlib
import io
import re
import tempfile
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.models import keras_files
from gan.run.atomic_files import replacing, write_json
from gan.run.config import Config
from gan.run.fields import option

if TYPE_CHECKING:
    import keras

WEIGHTS = "model.weights.h5"  # in a Keras file
JUDGED = ("fcd", "precision", "recall", "coverage", "classes")
NUM_IMAGES = 10_000


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define_generator(values)
    flags.define(
        values,
        name=option("", "what gan.load calls it; empty: the name of its data set"),
        out=option("gan/sampling/weights", "directory to write to", path_after=""),
    )


def main(values: FlagValues) -> int:
    """Writes the file and its record, and returns the exit status."""
    flag = {key: values[key].value for key in values}
    run_dir, out = Path(flag["run_dir"]), Path(flag["out"])
    with command.silenced():
        from gan.run import run_directory, saved_config
        from gan.run.data_facts import read_data_facts
        from gan.sampling import generators, posthoc_averages
    config = saved_config.read_config(run_dir)
    name = flag["name"] or config.dataset
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise UserError(f"--name={name}: must be of letters a-z, digits and _")
    path = out / f"{name}.keras"
    for written in (path, path.with_suffix(".json")):
        run_directory.check_output(written)
    which = {key: flag[key] for key in ("checkpoint", "weights", "ema_sigma")}
    generator = posthoc_averages.load_any(run_dir, *which.values())
    if {layer.compute_dtype for layer in generator.layers} != {"float32"}:
        raise UserError(
            f"--run_dir={run_dir}: must be a run with --precision=float32, for any machine"
        )
    facts = read_data_facts(run_dir)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(in_half_precision(generator))
            # What the file draws is judged, not what it was made of.
            evaluation = judge(generators.read_generator(temporary), run_dir, config)
            record = {
                "sha256": hashlib.sha256(temporary.read_bytes()).hexdigest(),
                "dataset": config.dataset,
                "class_names": list(facts.class_names) if facts else [],
                "config": dataclasses.asdict(config),
                **{key: value for key, value in which.items() if value},
                "evaluation": evaluation,
            }
        write_json(path.with_suffix(".json"), record)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    command.say(f"{path}: {path.stat().st_size:,} bytes, FCD {evaluation['metrics']['fcd']:.3f}")
    return command.DONE


def judge(generator: "keras.Model", run_dir: Path, config: Config) -> dict[str, Any]:
    """Returns how good a generator is beside the data of its run.

    Raises:
        UserError: Those are not there, or others.
    """
    from gan.data.identity import data_of_run
    from gan.evaluation import evaluate, reference
    from gan.sampling.drawing import sample_for_evaluation

    data = data_of_run(run_dir, config, command.tell)
    real = reference.load_real_features(config.dataset, data, print_fn=command.tell)
    images = sample_for_evaluation(generator, data, NUM_IMAGES)
    return evaluate.evaluate(images, real.reference(count=NUM_IMAGES), JUDGED)[0]


def in_half_precision(generator: "keras.Model") -> bytes:
    """Returns the generator as a Keras file whose weights are float16, compressed.

    Keras reads them into the float32 variables that the file describes.
    """
    import h5py  # of Keras

    made, halves = io.BytesIO(), io.BytesIO()
    with tempfile.TemporaryDirectory() as directory:
        keras_files.save(generator, path := Path(directory) / "generator.keras")
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
    with h5py.File(io.BytesIO(members[WEIGHTS])) as file, h5py.File(halves, "w") as smaller:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                copied = smaller.require_group(name)
            else:
                values = item[()]
                small = values.astype(np.float16) if item.dtype == np.float32 else values
                copied = smaller.create_dataset(name, data=small)
            for key, value in item.attrs.items():
                copied.attrs[key] = value

        file.visititems(copy)
        smaller.attrs.update(file.attrs)
    members[WEIGHTS] = halves.getvalue()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


run = partial(
    command.run, "Makes a generator that comes with the package.", define, main,
    positional="run_dir",
)  # fmt: skip

if __name__ == "__main__":
    run()

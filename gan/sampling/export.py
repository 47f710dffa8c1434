"""Generators for other programs: one writer and one reader a format.

What is written is read again in its own runtime and compared with Keras. A format is one row of
`FORMATS`. All but Keras' own name their inputs `latents` and `labels` and their output `images`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.lazy import keras, np, tf
from gan.models import keras_files
from gan.run import run_directory
from gan.run.atomic_files import temporary_directory
from gan.run.paths import check_pattern, plain_path
from gan.sampling import export_facts
from gan.sampling.export_facts import Facts

COMPARED = 100  # seeds
SAVED_MODEL = "saved_model.pb"  # tells a SavedModel from other directories


class ExportFailed(Exception):
    """A converter or a runtime failed, or draws something else."""


class Inputs(NamedTuple):
    """What a generator takes."""

    latents: np.ndarray  # [n, latent_dim] float32
    labels: np.ndarray | None  # [n] int32, if it is conditional

    @property
    def for_keras(self) -> Any:
        """The argument of a Keras model."""
        return self.latents if self.labels is None else [self.latents, self.labels]

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """The arguments of an export, by the names of its inputs."""
        return {"latents": self.latents} | ({} if self.labels is None else {"labels": self.labels})


class Format(NamedTuple):
    """How a generator leaves Keras, and how what was written is run."""

    name: str  # of the file or directory
    write: Callable[[keras.Model, Path], None]
    run: Callable[[Path, Inputs], np.ndarray]  # images [n, H, W, C] float32
    modules: tuple[str, ...]  # that it needs, all in the extra `export`
    tolerance: float  # difference from Keras, of images in -1..1
    write_facts: Callable[[Path, Facts], None]
    read_facts: Callable[[Path], Facts]


def export(
    generator: keras.Model, name: str, directory: Path, of_run: Facts | None = None
) -> tuple[Path, float]:
    """Writes a generator and returns where, and how far its images are from those it draws here.

    Args:
        generator: From latents, and labels if conditional, to float32 images.
        name: A key of `FORMATS`.
        directory: Where; created if needed.
        of_run: What the file says of where the generator comes from, beside what it takes and
            makes; see gan/sampling/export_facts.py.

    Returns:
        The path, and the largest difference over all pixels of 100 seeds, images in -1..1. What is
        written is in float32: a generator in mixed precision differs by its own rounding too.

    Raises:
        UserError: As `check_place` and `check_modules`; nothing was written.
        ExportFailed: What was made cannot be run, or draws other images; nothing is left of it.
    """
    row, path = FORMATS[name], directory / FORMATS[name].name
    check_modules(name)
    check_place(name, directory)
    directory.mkdir(parents=True, exist_ok=True)
    model = in_float32(generator)
    inputs = inputs_of(model)
    expected, drawn_here = (network(inputs.for_keras).numpy() for network in (model, generator))

    # Beside its place, so that nothing is left of what failed.
    with temporary_directory(directory) as temporary, files_in(temporary):
        written = temporary / row.name
        try:
            with quiet():
                row.write(model, written)
                row.write_facts(written, all_facts(generator, of_run or {}))
                images = row.run(written, inputs)
        except OSError:
            raise
        except Exception as error:  # converters fail in their own ways
            reason = " ".join(str(error).split())[:300]
            raise ExportFailed(f"--formats={name}: cannot be made ({reason})") from None
        difference = float(np.abs(images - expected).max())
        if not difference <= row.tolerance:
            raise ExportFailed(f"--formats={name}: would differ from Keras by {difference:.2g}")
        if path.exists():
            path.rename(temporary / "before")
        written.rename(path)
    return path, float(np.abs(images - drawn_here).max())


def check_modules(name: str) -> None:
    """Refuses a format whose converter or runtime is not installed."""
    for module in FORMATS[name].modules:
        try:
            importlib.import_module(module)
        except ImportError:
            raise UserError(
                f"--formats={name}: needs {module}, install the extra `export`"
            ) from None


def check_place(name: str, directory: Path) -> None:
    """Refuses a directory where something else has the place of a format."""
    row = FORMATS[name]
    path = directory / row.name
    run_directory.check_output(path)
    if row.run is run_savedmodel:
        check_pattern(path, "out")
    if (path.is_dir() and not (path / SAVED_MODEL).is_file()) or (
        path.is_file() and not path.suffix
    ):
        raise UserError(f"{path}: is something else, nothing was written")


def all_facts(generator: keras.Model, of_run: Facts) -> dict[str, Any]:
    """Returns what an export of a generator says of itself."""
    return {**of_run, **export_facts.facts_of_generator(generator)}


def inputs_of(model: keras.Model) -> Inputs:
    """Returns the inputs that make the images of the first seeds."""
    from gan.models.checks import classes_of  # here: it imports TensorFlow
    from gan.sampling.latents import latents_of

    latents = latents_of(range(COMPARED), model.inputs[0].shape[-1])
    classes = classes_of(model)
    return Inputs(latents, np.arange(COMPARED, dtype=np.int32) % classes if classes else None)


def in_float32(model: keras.Model) -> keras.Model:
    """Returns the same function with all layers in float32, as runtimes of other kinds have it."""
    from gan.models.checks import all_layers

    if all(layer.compute_dtype == "float32" for layer in all_layers(model) if layer.weights):
        return model

    def converted(part: keras.Operation) -> keras.Operation:
        return part.__class__.from_config(with_float32(part.get_config()))

    clone = keras.models.clone_model(model, clone_function=converted)
    clone.set_weights(model.get_weights())
    return clone


def with_float32(config: Any) -> Any:
    """Returns the configuration of a layer or an operation, and of those inside, in float32."""
    if isinstance(config, dict):
        return {
            key: "float32" if key == "dtype" and is_half(value) else with_float32(value)
            for key, value in config.items()
        }
    return [with_float32(one) for one in config] if isinstance(config, list) else config


def is_half(dtype: Any) -> bool:
    """Tells whether the dtype in a configuration, a name or a policy, computes in 16 bits."""
    if isinstance(dtype, dict):  # a policy, as Keras writes it
        dtype = dtype.get("config", {}).get("name")
    return str(dtype).endswith("float16")


@contextlib.contextmanager
def files_in(directory: Path) -> Iterator[None]:
    """Lets converters keep their temporary files in a directory, with which they are gone."""
    before, tempfile.tempdir = tempfile.tempdir, str(directory)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what converters print."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def write_keras(model: keras.Model, path: Path) -> None:
    """Writes Keras' own format."""
    keras_files.save(model, path)


def run_keras(path: Path, inputs: Inputs) -> np.ndarray:
    """Runs it in Keras."""
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    images: np.ndarray = model(inputs.for_keras).numpy()
    return images


def named(model: keras.Model, batch: int | None = None) -> keras.Model:
    """Returns the same function of inputs with our names; it returns {"images": ...}.

    It draws any number of images, or `batch`.
    """
    inputs = [
        keras.Input(batch_shape=(batch, *tensor.shape[1:]), dtype=dtype, name=name)
        for tensor, name, dtype in zip(
            model.inputs, ("latents", "labels"), ("float32", "int32"), strict=False
        )
    ]
    taken = inputs if len(inputs) > 1 else inputs[0]
    return keras.Model(taken, {export_facts.output_name(model): model(taken)})


def write_savedmodel(model: keras.Model, path: Path) -> None:
    """Writes a directory with the signature serving_default, for TensorFlow Serving and others."""
    named(model).export(plain_path(path), format="tf_saved_model", verbose=False)


def run_savedmodel(path: Path, inputs: Inputs) -> np.ndarray:
    """Runs the signature in TensorFlow, without Keras."""
    serve = tf.saved_model.load(plain_path(path)).signatures["serving_default"]
    given = {name: tf.constant(array) for name, array in inputs.by_name.items()}
    (images,) = serve(**given).values()
    array: np.ndarray = images.numpy()
    return array


# Keras' export(format="litert") does the same, but not in 3.12, the last Keras for Python 3.10.
def write_tflite(model: keras.Model, path: Path, half: bool = False) -> None:
    """Writes a flat buffer for LiteRT, with weights in float16 if asked for.

    It draws any number of images at once, or one where that cannot be converted: the converter
    loses the height of what an upsampling makes of them.
    """
    try:
        content = converted(named(model), half)
    except Exception:  # in many ways, and says so if it cannot convert the other one either
        content = converted(named(model, 1), half)
    path.write_bytes(content)


def converted(model: keras.Model, half: bool) -> bytes:
    """Returns a model as TensorFlow's converter gives it."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content


def draws_one(path: Path) -> bool:
    """Tells whether a LiteRT file draws one image a call, and not any number of them."""
    from ai_edge_litert.interpreter import Interpreter

    latents = Interpreter(str(path)).get_signature_runner().get_input_details()["latents"]
    return bool(latents["shape_signature"][0] == 1)


def run_tflite(path: Path, inputs: Inputs) -> np.ndarray:
    """Runs the signature in LiteRT, image by image if it draws one a call."""
    from ai_edge_litert.interpreter import Interpreter

    draw = Interpreter(str(path)).get_signature_runner()
    count = len(inputs.latents)
    size = 1 if draws_one(path) else count
    images = []
    for start in range(0, count, size):
        given = {name: array[start : start + size] for name, array in inputs.by_name.items()}
        images += draw(**given).values()
    return np.concatenate(images)


def write_onnx(model: keras.Model, path: Path) -> None:
    """Writes ONNX, through tf2onnx."""
    whole = named(model)
    whole(inputs_of(model).for_keras)  # Keras exports to ONNX only what was called once
    whole.export(path, format="onnx", verbose=False)


def run_onnx(path: Path, inputs: Inputs) -> np.ndarray:
    """Runs it in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images: np.ndarray = session.run(None, inputs.by_name)[0]
    return images


IN_ARCHIVE = export_facts.write_in_archive, export_facts.read_in_archive
IN_DIRECTORY = export_facts.write_in_directory, export_facts.read_in_directory
IN_ONNX = export_facts.write_in_onnx, export_facts.read_in_onnx
LITERT = ("ai_edge_litert",)
write_tflite_float16 = functools.partial(write_tflite, half=True)

FORMATS: dict[str, Format] = {
    "keras": Format("generator.keras", write_keras, run_keras, (), 0.0, *IN_ARCHIVE),
    "savedmodel": Format("savedmodel", write_savedmodel, run_savedmodel, (), 1e-4, *IN_DIRECTORY),
    "tflite": Format("generator.tflite", write_tflite, run_tflite, LITERT, 1e-3, *IN_ARCHIVE),
    "tflite_float16": Format(
        "generator_float16.tflite", write_tflite_float16, run_tflite, LITERT, 0.05, *IN_ARCHIVE
    ),
    "onnx": Format(
        "generator.onnx", write_onnx, run_onnx, ("tf2onnx", "onnxruntime"), 1e-3, *IN_ONNX
    ),
}

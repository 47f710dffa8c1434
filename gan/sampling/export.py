"""Generators for other programs: one writer and one reader a format.

What is written is read again in its own runtime and compared with Keras. A format is one row of
`FORMATS`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.lazy import keras, np, tf
from gan.run.atomic_files import temporary_directory
from gan.run.paths import check_pattern, plain_path

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

    def by_key(self, is_label: Mapping[Any, bool]) -> dict[Any, np.ndarray]:
        """Returns the array of each key: `labels` or `latents`."""
        arrays = {key: self.labels if label else self.latents for key, label in is_label.items()}
        return {key: array for key, array in arrays.items() if array is not None}


class Format(NamedTuple):
    """How a generator leaves Keras, and how what was written is run."""

    name: str  # of the file or directory
    write: Callable[[keras.Model, Path], None]
    run: Callable[[Path, Inputs], np.ndarray]  # images [n, H, W, C] float32
    modules: tuple[str, ...]  # that it needs, all in the extra `export`
    tolerance: float  # difference from Keras, of images in -1..1


def export(generator: keras.Model, name: str, directory: Path) -> tuple[Path, float]:
    """Writes a generator and returns where, and how far its images are from those it draws here.

    Args:
        generator: From latents, and labels if conditional, to float32 images.
        name: A key of `FORMATS`.
        directory: Where; created if needed.

    Returns:
        The path, and the largest difference over all pixels of 100 seeds, images in -1..1. What is
        written is in float32: a generator in mixed precision differs by its own rounding too.

    Raises:
        UserError: It cannot be made, or its place is taken by something else; nothing was written.
        ExportFailed: What was made cannot be run, or draws other images; nothing is left of it.
    """
    row = FORMATS[name]
    for module in row.modules:
        try:
            importlib.import_module(module)
        except ImportError:
            raise UserError(
                f"--formats={name}: needs {module}, install the extra `export`"
            ) from None
    path = directory / row.name
    if row.run is run_savedmodel:
        check_pattern(path, "out")
    if (path.is_dir() and not (path / SAVED_MODEL).is_file()) or (
        path.is_file() and not path.suffix
    ):
        raise UserError(f"{path}: is something else, nothing was written")
    directory.mkdir(parents=True, exist_ok=True)
    model = in_float32(generator)
    inputs = inputs_of(model)
    # Before it is written: Keras exports to ONNX only what was called once.
    expected, drawn_here = (network(inputs.for_keras).numpy() for network in (model, generator))

    # Beside its place, so that nothing is left of what failed.
    with temporary_directory(directory) as temporary, files_in(temporary):
        written = temporary / row.name
        try:
            with quiet():
                row.write(model, written)
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

    def converted(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config({**layer.get_config(), "dtype": "float32"})

    clone = keras.models.clone_model(model, clone_function=converted)
    clone.set_weights(model.get_weights())
    return clone


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
    model.save(path)


def run_keras(path: Path, inputs: Inputs) -> np.ndarray:
    """Runs it in Keras."""
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    images: np.ndarray = model(inputs.for_keras).numpy()
    return images


def write_savedmodel(model: keras.Model, path: Path) -> None:
    """Writes a directory with the signature serving_default, for TensorFlow Serving and others."""
    model.export(plain_path(path), format="tf_saved_model", verbose=False)


def run_savedmodel(path: Path, inputs: Inputs) -> np.ndarray:
    """Runs the signature in TensorFlow, without Keras."""
    serve = tf.saved_model.load(plain_path(path)).signatures["serving_default"]
    _, specs = serve.structured_input_signature
    given = inputs.by_key({name: spec.dtype.is_integer for name, spec in specs.items()})
    (images,) = serve(**{name: tf.constant(array) for name, array in given.items()}).values()
    array: np.ndarray = images.numpy()
    return array


# Keras' export(format="litert") does the same, but not in 3.12, the last Keras for Python 3.10.
def write_tflite(model: keras.Model, path: Path, half: bool = False) -> None:
    """Writes a flat buffer for LiteRT that draws one image, with weights in float16 if asked for.

    One, because with batches of any size convolutions after an upsampling cannot be converted.
    """
    inputs = [
        keras.Input(batch_shape=(1, *tensor.shape[1:]), dtype=tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    ]
    one_image = keras.Model(inputs, model(inputs if len(inputs) > 1 else inputs[0]))
    converter = tf.lite.TFLiteConverter.from_keras_model(one_image)
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    path.write_bytes(converter.convert())


def run_tflite(path: Path, inputs: Inputs) -> np.ndarray:
    """Runs it in LiteRT, image by image."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()
    given = inputs.by_key({d["index"]: np.issubdtype(d["dtype"], np.integer) for d in details})
    output = interpreter.get_output_details()[0]["index"]
    images = []
    for i in range(len(inputs.latents)):
        for index, array in given.items():
            interpreter.set_tensor(index, array[i : i + 1])
        interpreter.invoke()
        images.append(interpreter.get_tensor(output))
    return np.concatenate(images)


def write_onnx(model: keras.Model, path: Path) -> None:
    """Writes ONNX, through tf2onnx."""
    model.export(path, format="onnx", verbose=False)


def run_onnx(path: Path, inputs: Inputs) -> np.ndarray:
    """Runs it in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = inputs.by_key({node.name: "int" in node.type for node in session.get_inputs()})
    images: np.ndarray = session.run(None, given)[0]
    return images


FORMATS: dict[str, Format] = {
    "keras": Format("generator.keras", write_keras, run_keras, (), 0.0),
    "savedmodel": Format("savedmodel", write_savedmodel, run_savedmodel, (), 1e-4),
    "tflite": Format("generator.tflite", write_tflite, run_tflite, ("ai_edge_litert",), 1e-3),
    "tflite_float16": Format(
        "generator_float16.tflite",
        functools.partial(write_tflite, half=True),
        run_tflite,
        ("ai_edge_litert",),
        0.05,
    ),
    "onnx": Format("generator.onnx", write_onnx, run_onnx, ("tf2onnx", "onnxruntime"), 1e-3),
}

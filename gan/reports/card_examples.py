"""How each format of an export is loaded and drawn from, in Python, for its model card."""

from pathlib import Path
from typing import NamedTuple

from gan.sampling.export import draws_one
from gan.sampling.export_facts import Facts

DRAWN = 16  # images in the examples


class Example(NamedTuple):
    """How a format is loaded and drawn from; {} stands for the arguments."""

    runtime: str
    tag: str  # of Hugging Face
    imports: str
    load: str
    draw: str


LITERT = Example(
    "LiteRT", "tflite", "from ai_edge_litert.interpreter import Interpreter",
    'draw = Interpreter("{file}").get_signature_runner()', 'draw({named})["{made}"]',
)  # fmt: skip
EXAMPLES = {
    "keras": Example(
        "Keras", "keras", "import keras",
        'generator = keras.models.load_model("{file}", compile=False)',
        "np.asarray(generator({plain}))",
    ),
    "savedmodel": Example(
        "TensorFlow, TensorFlow Serving", "tensorflow", "import tensorflow as tf",
        'draw = tf.saved_model.load("{file}").signatures["serving_default"]',
        'draw({tensors})["{made}"].numpy()',
    ),
    "tflite": LITERT,
    "tflite_float16": LITERT,
    "onnx": Example(
        "ONNX Runtime, also in browsers", "onnx", "import onnxruntime",
        'session = onnxruntime.InferenceSession("{file}")',
        'session.run(["{made}"], {feeds})[0]',
    ),
}  # fmt: skip


def draws_one_a_call(key: str, path: Path) -> bool:
    """Tells whether a file of a format draws one image a call, and not any number of them."""
    return EXAMPLES[key] is LITERT and draws_one(path)


def example(key: str, path: Path, facts: Facts, made: str) -> list[str]:
    """Returns the Python that loads a file and draws from it."""
    row, conditional = EXAMPLES[key], "classes" in facts
    names = ["latents", *(["labels"] if conditional else [])]
    arguments = {
        "file": path.name,
        "made": made,
        "plain": "[latents, labels]" if conditional else "latents",
        "named": ", ".join(f"{name}={name}" for name in names),
        "tensors": ", ".join(f"{name}=tf.constant({name})" for name in names),
        "feeds": "{" + ", ".join(f'"{name}": {name}' for name in names) + "}",
    }
    draw = row.draw.format(**arguments)
    if draws_one_a_call(key, path):  # one after the other
        one = ", ".join(f"{name}={name}[i : i + 1]" for name in names)
        draw = f'np.concatenate([draw({one})["{made}"] for i in range({DRAWN})])'
    size = f"({DRAWN}, {facts['latent_dim']})"
    lines = [
        "import numpy as np", row.imports, "", row.load.format(**arguments),
        f'latents = np.random.default_rng(0).normal(size={size}).astype("float32")',
    ]  # fmt: skip
    if conditional:
        lines.append(f'labels = np.arange({DRAWN}, dtype="int32") % {facts["classes"]}')
    lines.append(f"{made} = {draw}")
    if made == "images":
        shape = ", ".join(map(str, [DRAWN, *facts["image_shape"]]))
        rounded = 'images = np.round(np.clip(images * 0.5 + 0.5, 0, 1) * 255).astype("uint8")'
        lines.append(f"{rounded}  # [{shape}]")
    return lines

"""The model card beside exports: README.md, in the form that Hugging Face's model pages show.

It has what the files say of themselves, how each is loaded, and how good the generator is. Whoever
exports edits it, so only what was written here, and not changed since, is replaced.
"""

import hashlib
import importlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan.evaluation import better
from gan.evaluation.metrics.table import row_of
from gan.evaluation.records import format_number
from gan.reports.card_examples import EXAMPLES, draws_one_a_call, example
from gan.run import records, saved_config
from gan.run.atomic_files import replacing
from gan.run.files import read_text
from gan.run.layout import EVALUATIONS_FILE
from gan.run.records import DURING_TRAINING
from gan.run.streams import printable
from gan.sampling import packaged
from gan.sampling.export import FORMATS
from gan.sampling.export_facts import Facts, without_place

CARD = "README.md"
SEAL = "<!-- As `tapegan export` wrote it: {}. It replaces a card that still is. -->\n"
SEALED = re.compile(r"(.*)<!-- As `tapegan export` wrote it: (\w+)\. .* -->\n", re.DOTALL)
OF_TRAINING = (
    "generator", "discriminator", "loss", "penalty", "augment", "batch_size", "steps", "seed",
)  # fmt: skip

# What metrics are that have no row in METRICS.
OTHERS = {
    "class_diversity": "distance to the nearest sample of the same class, over that of real "
    "images; of the class where it is least",
    "head_accuracy": "share of test images whose class the discriminator's head names",
    "linear_units": "share of units of one sign for all images, of a layer of the discriminator",
    "modes": "modes of the data that samples cover",
    "high_quality": "share of samples within 3 sd of a mode",
    "reverse_kl": "KL divergence from the uniform distribution over the modes, in nats",
    "sd_ratio": "standard deviation within modes, over that of real points",
}

OWN_LICENCE = "MIT, as TapeGAN, whose package these weights come with."
NO_LICENCE = (
    "Not chosen yet. Say here and in `license:` above how the weights may be used; the licence of "
    "the training data may have a say in it."
)


def write_card(directory: Path, run_dir: Path, facts: Facts) -> tuple[Path, bool]:
    """Writes the card of the exports in a directory, and tells whether it did.

    It is about the files that say the same `facts` of themselves; others there are of another
    generator. A card that somebody wrote or changed stays.

    Args:
        directory: Where the exports are.
        run_dir: What they were made of: a run, a Keras file, or the name of a packaged generator.
        facts: Of `export.all_facts`.

    Raises:
        UserError: A record of the run is damaged.
        OSError: The card cannot be written.
    """
    path = directory / CARD
    if (path.is_symlink() or path.exists()) and not is_ours(path):
        return path, False
    text = render_card(files_of(directory, facts), facts, training_of(run_dir, facts),
                       evaluations_of(run_dir, facts),
                       of_tapegan=packaged.is_packaged(run_dir))  # fmt: skip
    with replacing(path) as temporary:
        digest = hashlib.sha256(text.encode()).hexdigest()
        temporary.write_text(text + SEAL.format(digest), encoding="utf-8")
    return path, True


def check_records(run_dir: Path, facts: Facts) -> None:
    """Refuses what `write_card` would, before there is anything to write it about."""
    training_of(run_dir, facts)
    evaluations_of(run_dir, facts)


def is_ours(path: Path) -> bool:
    """Tells whether a card was written here and not changed since."""
    try:
        match = None if path.is_symlink() else SEALED.fullmatch(read_text(path))
    except (OSError, ValueError):
        return False
    return match is not None and hashlib.sha256(match[1].encode()).hexdigest() == match[2]


def files_of(directory: Path, facts: Facts) -> dict[str, Path]:
    """Returns the exports in a directory that say these facts of themselves, by format."""
    found = {}
    for name, row in FORMATS.items():
        path = directory / row.name
        try:
            if row.read_facts(path) == facts and all(map(importlib.import_module, row.modules)):
                found[name] = path
        except Exception:  # not there, of an older version, or without its runtime; or damaged
            continue
    return found


def training_of(run_dir: Path, facts: Facts) -> dict[str, Any]:
    """Returns how a generator was trained, by the names of flags; {} if that is not known."""
    if "run" not in facts:
        return {}
    if packaged.is_packaged(run_dir):
        config = packaged.record_of(str(run_dir))["config"]
        return {name: config[name] for name in OF_TRAINING}
    config, own = saved_config.read_config(run_dir), saved_config.own_networks(run_dir)
    trained = {name: "own" if name in own else getattr(config, name) for name in OF_TRAINING}
    data = saved_config.read_values(run_dir).get("data")
    examples = data.get("examples") if isinstance(data, dict) else None
    return trained | ({"training images": examples} if type(examples) is int else {})


def evaluations_of(run_dir: Path, facts: Facts) -> list[dict[str, Any]]:
    """Returns the evaluations of the exported weights, each with its floors.

    Those of one kind are one: what was computed later is added. Light ones are left out where there
    are others.
    """
    if packaged.is_packaged(run_dir):
        return [packaged.record_of(str(run_dir))["evaluation"]]
    if "step" not in facts:
        return []
    found: dict[str, dict[str, Any]] = {}
    for record in records.read_evaluations(run_dir / EVALUATIONS_FILE):
        if any(record.get(name) != facts.get(name) for name in ("step", "weights", "ema_sigma")):
            continue
        names = ("source", "features", "num_images", "reference", "seed")
        key = json.dumps([record.get(name) for name in names])
        found[key] = better.in_one(found.get(key), record)
    whole = [record for record in found.values() if record.get("source") != DURING_TRAINING]
    return whole or list(found.values())


def render_card(
    files: Mapping[str, Path],
    facts: Facts,
    training: Mapping[str, Any],
    evaluations: Sequence[Mapping[str, Any]],
    *,
    of_tapegan: bool,
) -> str:
    """Returns the card as Markdown: what a run brings is code in it, or quoted in its front matter.

    Args:
        files: The exports, by format.
        facts: What they say of themselves.
        training: By the names of flags.
        evaluations: Records with "floors".
        of_tapegan: Whether the weights come with TapeGAN, and have its licence.
    """
    name, made = str(facts.get("run", "generator")), "images" if "images" in facts else "points"
    what = f"It draws {made} from {facts['latent_dim']} random numbers"
    what += f" and one of {facts['classes']} classes." if "classes" in facts else "."
    origin = f"`{code(name)}`, trained" if "run" in facts else "of unknown origin, exported"
    lines = [*front_matter(name, files, facts, evaluations, of_tapegan), "", f"# {plain(name)}", ""]
    lines += [
        f"The generator of a GAN, {origin} with TapeGAN {facts['tapegan']}"
        + (f" on `{code(facts['dataset'])}`. " if "dataset" in facts else ". ") + what,
        "", "| what the files say of themselves | |", "| --- | --- |",
        *(f"| {key} | {cell(value)} |" for key, value in facts.items()),
        "",
        "Each file holds these facts: ONNX in `metadata_props`, a SavedModel in "
        "`assets.extra/tapegan.json`, the others are read by `unzip -p FILE tapegan.json`.",
        "", "## Draw", "",
        "`latents` are independent draws from N(0, 1). TapeGAN draws the seed 7 from "
        f"`gan.latents_of([7], {facts['latent_dim']})`.",
    ]  # fmt: skip
    for key, path in files.items():
        lines += ["", f"### {path.name}: {EXAMPLES[key].runtime}", ""]
        lines += ["```python", *example(key, path, facts, made), "```"]
    lines += ["", "## Training", ""]
    lines += [f"- {key}: {cell(value)}" for key, value in training.items()] or ["Not known."]
    lines += ["", "## Evaluation", "", *evaluation_lines(evaluations)]
    lines += ["", "## Limits", "", *(f"- {line}" for line in limits(files, made))]
    lines += ["", "## Licence", "", OWN_LICENCE if of_tapegan else NO_LICENCE, ""]
    return "\n".join(lines) + "\n"


def front_matter(
    name: str,
    files: Mapping[str, Path],
    facts: Facts,
    evaluations: Sequence[Mapping[str, Any]],
    of_tapegan: bool,
) -> list[str]:
    """Returns the YAML that Hugging Face reads."""
    tags = ["gan", "tapegan", *dict.fromkeys(EXAMPLES[key].tag for key in files)]
    licence = "license: mit" if of_tapegan else "# license: which one is for you to say"
    lines = ["---", licence, f"tags: {yaml(tags)}"]
    lines += ["library_name: keras"] * ("keras" in files)
    lines += ["pipeline_tag: unconditional-image-generation"] * ("images" in facts)
    if evaluations and "dataset" in facts:
        results = [
            {
                "task": {"type": "unconditional-image-generation"},
                "dataset": {"name": facts["dataset"], "type": facts["dataset"]},
                "metrics": [
                    {"type": metric, "value": value}
                    for metric, value in record["metrics"].items()
                    if value is not None
                ],
            }
            for record in evaluations
        ]
        lines += [f"model-index: {yaml([{'name': name, 'results': results}])}"]
    return [*lines, "---"]


def yaml(value: Any) -> str:
    """Returns JSON's objects, arrays, text and numbers as YAML 1.1, in a line.

    That is JSON but for two things: it has no pairs of escapes for one character, and a number with
    an exponent must have a point.
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{yaml(key)}: {yaml(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(yaml, value))}]"
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"^(-?\d+)e", r"\1.0e", text) if isinstance(value, float) else text


def evaluation_lines(evaluations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a table for each evaluation: its metrics beside what real images get."""
    if not evaluations:
        return ["None of these weights."]
    lines: list[str] = []
    for record in evaluations:
        lines += [f"{said(record)}.", "", "| metric | generator | real images (sd) | what it is |"]
        lines += ["| --- | --- | --- | --- |"]
        for name, value in record["metrics"].items():
            floor = record["floors"].get(name)
            cells = [
                f"{code(name)} {better.ARROWS[better.better(name)]}".strip(),
                "not finite" if value is None else format_number(value),
                f"{format_number(floor['mean'])} ({format_number(floor['sd'])})" if floor else "-",
                convention(name),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return [
        *lines,
        "Real images: mean (sd) of as many of them, which a perfect generator would get.",
    ]


def said(record: Mapping[str, Any]) -> str:
    """Returns in words what an evaluation compared, and through which features."""
    features, against = record.get("features"), record.get("reference")
    count = record.get("num_images")
    text = f"{count:,} samples" if type(count) is int else "Samples"
    if isinstance(against, Mapping):
        parts = [without_place(str(against["dataset"]))] if "dataset" in against else []
        of = " ".join([*parts, *([str(against["split"])] if "split" in against else [])])
        text += f" beside {cell(of)}"
    if isinstance(features, Mapping) and "name" in features:
        text += f", through the features of {cell(features['name'])}"
    return text


def convention(name: str) -> str:
    """Returns what a metric is, in a sentence."""
    try:
        return OTHERS.get(name) or row_of(name).convention
    except KeyError:  # of another version
        return ""


def limits(files: Mapping[str, Path], made: str) -> list[str]:
    """Returns what a user has to know."""
    lines = [
        f"It draws only such {made} as it was trained on, with their gaps and biases.",
        "It may draw what is close to training images; `tapegan sample --nearest` shows the "
        "nearest ones.",
        *(
            f"`{path.name}` draws what Keras draws but for at most {FORMATS[key].tolerance:g}, "
            f"checked on 100 latents when it was written."
            for key, path in files.items()
            if FORMATS[key].tolerance
        ),
        *(
            f"`{path.name}` draws one of them a call, for LiteRT's converter cannot convert this "
            "network otherwise."
            for key, path in files.items()
            if draws_one_a_call(key, path)
        ),
    ]
    return lines if made == "images" else [lines[0], *lines[2:]]


def cell(value: Any) -> str:
    """Returns a value as code in Markdown."""
    return f"`{code(value if isinstance(value, str) else json.dumps(value))}`"


def code(text: str) -> str:
    """Returns text that cannot end the code, the row or the line that it stands in."""
    return printable(text).replace("`", "'").replace("|", "¦")


def plain(text: str) -> str:
    """Returns text for a heading, where Markdown and HTML mean nothing."""
    return re.sub(r"([\\`*_{}\[\]<>()#|!&~])", r"\\\1", printable(text))

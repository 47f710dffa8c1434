"""The names of what is in a run directory."""

import re

CONFIG_FILE = "config.json"
SUMMARY_FILE = "summary.json"
METRICS_FILE = "metrics.jsonl"
EVALUATIONS_FILE = "evaluations.jsonl"
GENERATOR_FILE = "generator.keras"
DISCRIMINATOR_FILE = "discriminator.keras"
LOSS_PLOT_FILE = "losses.png"
LOG_FILE = "log.txt"
SAMPLES_DIR = "samples"
CHECKPOINTS_DIR = "checkpoints"
BEST_DIR = "checkpoints/best"
AVERAGES_DIR = "averages"
TENSORBOARD_DIR = "tensorboard"
FILES = (
    CONFIG_FILE, SUMMARY_FILE, METRICS_FILE, EVALUATIONS_FILE, GENERATOR_FILE, DISCRIMINATOR_FILE,
    LOSS_PLOT_FILE, LOG_FILE,
)  # fmt: skip
DIRECTORIES = (SAMPLES_DIR, CHECKPOINTS_DIR, BEST_DIR, AVERAGES_DIR, TENSORBOARD_DIR)
TRAINING_PICTURE = re.compile(r"(reals|step_\d+)\.png")  # in SAMPLES_DIR

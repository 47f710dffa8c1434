"""What each number of a run is, in words and with its unit: TensorBoard shows it beside the curve.

docs/run-directory.md has the same table. Numbers of a step are those of one step, not means over
the steps since the last record.
"""

from collections.abc import Mapping

# Of metrics.jsonl, by name.
SCALARS: Mapping[str, str] = {
    "loss/d": "loss of D: its real and its fake part added, without the penalty",
    "loss/g": "loss of G",
    "loss/penalty": "gradient penalty of D, weighted; 0 without one",
    "loss/d_auxiliary": "what D's head adds to the loss of D, weighted; nats",
    "loss/g_auxiliary": "what D's head adds to the loss of G, weighted; nats",
    "logits/real": "mean logit of D for real images; higher is more real",
    "logits/fake": "mean logit of D for samples; higher is more real",
    "accuracy/real": "share of real images that D takes for real, 0 to 1",
    "accuracy/fake": "share of samples that D takes for fake, 0 to 1",
    "accuracy/auxiliary": "share of images whose class or code D's head names, 0 to 1",
    "grads/d_norm": "L2 norm of the gradient of D's loss with respect to its weights",
    "grads/g_norm": "L2 norm of the gradient of G's loss with respect to its weights",
    "weights/d_norm": "L2 norm of D's trainable weights",
    "weights/g_norm": "L2 norm of G's trainable weights",
    "augment/probability": "probability of each augmentation, which ADA adapts, 0 to 1",
    "time/steps_per_second": "steps per second since the last record, all work between included",
    "memory/peak_mb": "most memory that the process ever held, without the GPU's; MB (10^6 bytes)",
    "collapse/signs": "how many signs of collapse the records show; 0 is healthy",
}

# Of evaluations, by the last part of ``eval/light_fcd``; docs/evaluation.md has the conventions.
METRICS: Mapping[str, str] = {
    "fcd": "Fréchet distance of classifier features from those of real images; lower is better",
    "fcd_infinity": "FCD extrapolated to infinitely many samples; lower is better",
    "fid": "Fréchet distance of Inception's features from those of real images; lower is better",
    "kid": "squared maximum mean discrepancy of features; lower is better",
    "precision": "share of samples that lie among real images, 0 to 1; higher is better",
    "recall": "share of real images that lie among samples, 0 to 1; higher is better",
    "density": "real images around a sample, relative to real ones: about 1; higher is better",
    "coverage": "share of real images with a sample nearby, 0 to 1; higher is better",
    "one_nn_accuracy": "how well a nearest neighbour tells samples from real images, 0 to 1; 0.5 "
    "is best, lower is better",
    "classifier_score": "sure and various classes, the Inception Score's formula; higher is better",
    "classes": "number of classes among the samples; higher is better",
    "class_kl": "KL divergence of the samples' classes from the data's, nats; lower is better",
    "class_diversity": "how far samples of the least diverse class are apart, relative to real "
    "images, which have 1; as real images is best",
    "memorised_features": "share of samples that nearly are training images, by features, 0 to 1; "
    "as real images is best",
    "memorised_pixels": "share of samples that nearly are training images, by pixels, 0 to 1; as "
    "real images is best",
    "dcr_share": "share of samples nearer to a training image than to all test images, 0 to 1; as "
    "real images is best",
    "histogram_distance": "distance of the histograms of grey levels, 0 to 1; lower is better",
    "spectrum_distance": "mean absolute log ratio of the power spectra; lower is better",
    "head_accuracy": "share of test images whose class D's head names, 0 to 1; higher is better",
    "linear_units": "share of units of one sign for all images, 0 to 1, of D's layer with most of "
    "them; lower is better",
    "modes": "number of modes of the data that samples reach; higher is better",
    "high_quality": "share of points within 3 standard deviations of a mode; higher is better",
    "reverse_kl": "KL divergence of the samples' modes from equal shares, nats; lower is better",
    "sd_ratio": "standard deviation within modes, relative to real points; 1 is best",
}


def of_metric(name: str) -> str:
    """Returns what a metric of an evaluation is, such as fcd or fid_inception_10k; "" if unknown.

    Those of evaluators from Python code may be any.
    """
    return METRICS.get(name.partition("_inception_")[0], "")

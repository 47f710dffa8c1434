"""How metrics are read."""

from gan.evaluation.metrics.table import METRICS


def test_suspicion_is_on_the_side_that_real_images_do_not_reach():
    suspicious = {name: METRICS[name].suspicious for name in METRICS}
    assert suspicious["fcd"](0.7, 1.0, 0.1)
    assert not suspicious["fcd"](0.85, 1.0, 0.1)
    assert not suspicious["fcd"](9.0, 1.0, 0.1)
    assert suspicious["precision"](0.99, 0.95, 0.01)
    assert not suspicious["precision"](0.5, 0.95, 0.01)
    assert suspicious["one_nn_accuracy"](0.4, 0.5, 0.01)
    assert suspicious["memorised_pixels"](0.3, 0.01, 0.001)
    assert not suspicious["memorised_pixels"](0.0, 0.01, 0.001)

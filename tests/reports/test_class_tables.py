"""The page's tables about classes."""

from gan.reports.class_tables import alignment_table, diversity_table


def test_classes_of_one_name_are_rows_of_their_own():
    """As ImageNet has two cranes; the collapsed one must not be hidden behind the other."""
    shares = [("crane", 0.1), ("dog", 0.5), ("crane", 0.9)]
    alignment = {
        "samples": 0.5, "real": 0.75,
        "classes": [{"name": name, "samples": x, "real": 0.8} for name, x in shares],
    }  # fmt: skip
    diversity = [{"name": name, "samples": x, "sd": 0.01} for name, x in shares]
    other = [{"name": "dog", "samples": 0.25, "sd": 0.02}]
    assert alignment_table(["a"], [{"condition_alignment": alignment}])[2:] == [
        ["crane", "10.00%", "80.00%"],
        ["dog", "50.00%", "80.00%"],
        ["crane (2)", "90.00%", "80.00%"],
    ]
    found = diversity_table(
        ["a", "b"], [{"class_diversity": diversity}, {"class_diversity": other}]
    )
    assert found[1:] == [
        ["crane", "0.10", "1 (0.01)", "", ""],
        ["dog", "0.50", "1 (0.01)", "0.25", "1 (0.02)"],
        ["crane (2)", "0.90", "1 (0.01)", "", ""],
    ]

"""Which classes a text means, and what their folders are called."""

import pytest

from gan.data.folders.find import find_images
from gan.errors import UserError
from gan.sampling.classes import folder_names, labels_of

ANIMALS = ("bird", "cat", "dog")
AGES = ("0-2", "3-9", "old")
FROM_ONE = ("1", "2", "10")


@pytest.mark.parametrize(
    ("text", "names", "classes", "labels"),
    [
        ("3", (), 10, [3]),
        ("0-9", (), 10, list(range(10))),
        ("7,0-2,1", (), 10, [7, 0, 1, 2]),
        ("cat,dog", ANIMALS, 3, [1, 2]),
        ("dog,0-1", ANIMALS, 3, [2, 0, 1]),
        ("dog,dog,2", ANIMALS, 3, [2]),
        ("a,b", ("a,b", "c"), 2, [0]),
        ("10", FROM_ONE, 3, [2]),
        ("1-2", FROM_ONE, 3, [0, 1]),
        ("1-10", FROM_ONE, 3, [0, 1, 2]),
        ("03,3", ("01", "02", "03"), 3, [2]),
        ("3-9,0", AGES, 3, [1, 0]),
        ("1", ("01", "1"), 2, [1]),
    ],
)
def test_classes_by_number_and_by_name(text, names, classes, labels):
    assert labels_of(text, names, classes) == labels


@pytest.mark.parametrize(
    ("text", "names", "classes", "message"),
    [
        ("10", (), 10, "--labels=10: '10' is no class, must be in 0-9"),
        ("8-10", (), 10, "--labels=8-10: '8-10' is no class, must be in 0-9"),
        ("5-3", (), 10, "--labels=5-3: '5-3' is no class, must be in 0-9"),
        ("1,,2", (), 10, "--labels=1,,2: '' is no class, must be in 0-9"),
        ("-1", (), 10, "--labels=-1: '-1' is no class, must be in 0-9"),
        ("Cat", ANIMALS, 3, "--labels=Cat: 'Cat' is no class, must be in 0-2, or among bird, "),
        ("0", FROM_ONE, 3, "--labels=0: '0' is no class, must be among 1, 2, 10"),
        ("3", FROM_ONE, 3, "--labels=3: '3' is no class, must be among 1, 2, 10"),
        ("a", ("a", "b", "a"), 3, "--labels=a: 'a' names the classes 0, 2"),
        ("1", ("1", "cat", "dog"), 3,
         "--labels=1: '1' is the name of class 0 and stands for 1 too, must be 0 or other names"),
        ("0-2", AGES, 3,
         "--labels=0-2: '0-2' is the name of class 0 and stands for 0, 1, 2 too, must be 0"),
        ("9" * 5000, ("9" * 5000 + "x", "8"), 2, "--labels=999"),
    ],
)  # fmt: skip
def test_what_is_no_class_is_refused(text, names, classes, message):
    with pytest.raises(UserError) as error:
        labels_of(text, names, classes)
    assert str(error.value).startswith(message)


def test_names_of_folders():
    assert folder_names(ANIMALS, 3) == (["bird", "cat", "dog"], "")
    assert folder_names(FROM_ONE, 3) == (["1", "2", "10"], "")
    assert folder_names((), 11)[0] == [str(i) for i in range(11)]
    assert folder_names((), 11)[1] == ""
    assert folder_names(("Äpfel", "été", "日本"), 3)[1] == ""


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a/b", "c"), "'a/b' is no name of a folder"),
        (("..", "c"), "'..' is no name of a folder"),
        ((".hidden", "c"), "'.hidden' is no name of a folder"),
        (("", "c"), "'' is no name of a folder"),
        (("a\\b", "c"), r"'a\\b' is no name of a folder"),
        (("a\0", "c"), r"'a\x00' is no name of a folder"),
        (("a\n", "c"), r"'a\n' is no name of a folder"),
        (("\udce9", "c"), r"'\udce9' is no name of a folder"),
        (("é" * 101, "z"), "is too long for the name of a folder"),
        (("CAT", "cat"), "'CAT' and 'cat' are the same name to some systems"),
        (("e\u0301", "é"), "are the same name to some systems"),
        (("STRASSE", "straße"), "'STRASSE' and 'straße' are the same name to some systems"),
        (("cat", "cat"), "'cat' and 'cat' are the same name to some systems"),
        (("dog", "cat"), "folders are read in another order than these classes have"),
        (("1", "10", "2"), "folders are read in another order than these classes have"),
        (("test", "train"), "'test' is a part of a data set to who reads it"),
    ],
)
def test_other_names_are_replaced_by_numbers(names, why):
    found, said = folder_names(names, len(names))
    assert found == [str(label) for label in range(len(names))]
    assert why in said


@pytest.mark.parametrize("names", [ANIMALS, FROM_ONE, ("dog", "cat"), ("Z", "a", "ä")])
def test_folders_are_read_again_as_these_classes(names, tmp_path):
    folders, _ = folder_names(names, len(names))
    for label, folder in enumerate(folders):
        (tmp_path / folder).mkdir()
        for i in range(label + 1):
            (tmp_path / folder / f"{i}.png").touch()
    found = find_images(tmp_path)
    assert found.classes == folders
    assert sorted(found.labels) == [label for label in range(len(names)) for _ in range(label + 1)]

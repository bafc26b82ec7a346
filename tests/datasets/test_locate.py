"""Finding a data set below a folder: what is looked into first, and the sentences if it is not there."""

import pytest

from labelkit.datasets.locate import check_split, locate, sized


def layout_of(folder):
    return folder.name if (folder / "list.json").is_file() else None


def test_the_folder_itself_comes_before_those_below_it_and_these_in_their_order(tmp_path):
    def found():
        return locate(str(tmp_path), ("second", "third/deep"), layout_of, "Leaves", "list.json")

    for place in ("third/deep", "second", "."):
        folder = tmp_path / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "list.json").touch()
        assert found() == (folder, folder.name)


@pytest.mark.parametrize(("named", "where"), [(None, "a, b or c"), (2, "a or b")])
def test_what_was_looked_for_is_said(tmp_path, named, where):
    with pytest.raises(FileNotFoundError) as caught:
        locate(tmp_path, ("a", "b", "c"), layout_of, "Leaves", "list.json and images/", named)
    told = f"no Leaves in {tmp_path}: list.json and images/ were expected there or in its folder {where}"
    assert str(caught.value) == told


def test_a_name_has_its_size_only_if_both_sides_are_known():
    assert sized("leaves", 180, 240) == "leaves-240x180"
    assert sized("leaves", None, None) == sized("leaves", 180, None) == "leaves"


def test_another_split_is_refused():
    check_split("val", "Leaves")
    with pytest.raises(ValueError, match="Leaves has no split 'dev': train, val or test was expected"):
        check_split("dev", "Leaves")

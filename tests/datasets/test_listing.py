"""Listing an owner's folders: links, case, partners, lists; every sentence names the file."""

from pathlib import Path

import pytest

from labelkit.datasets.listing import entries, files_in, folders_in, paired, read_names


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_what_is_listed(tmp_path):
    touch(tmp_path, "b_x.png", "a_x.JPG", ".hidden.png", "notes.txt", "c_y.png")
    touch(tmp_path / "é ö")
    (tmp_path / "link").symlink_to(tmp_path / "é ö")
    assert [path.name for path in folders_in(tmp_path)] == ["link", "é ö"]
    assert {name: path.name for name, path in files_in(tmp_path, "_x").items()} == {"a": "a_x.JPG", "b": "b_x.png"}
    assert list(files_in(tmp_path)) == ["a_x", "b_x", "c_y"]


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone is not a folder"):
        entries(tmp_path / "gone")


def test_links_that_lead_nowhere_or_in_circles(tmp_path):
    for name, target in (("dangling", "gone"), ("itself", "itself"), ("up", ".."), ("here", ".")):
        folder = touch(tmp_path / name / "inner")
        (folder / name).symlink_to(target)
        with pytest.raises(ValueError, match=rf"{name}/inner/{name} is a symbolic link (that leads|to a folder)"):
            entries(folder)
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(ValueError, match="one is a symbolic link that leads nowhere or in a circle"):
        entries(tmp_path)


def test_names_that_differ_in_case(tmp_path):
    touch(tmp_path, "Aachen.png", "aachen.png")
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system does not tell case apart")
    with pytest.raises(ValueError, match=r"Aachen\.png and aachen\.png, which differ only in case"):
        files_in(tmp_path)


def test_two_files_a_name(tmp_path):
    with pytest.raises(ValueError, match=r"a\.jpg and a\.png: one file a name"):
        files_in(touch(tmp_path, "a.png", "a.jpg"))


def test_partners(tmp_path):
    images, masks = touch(tmp_path / "img", "a_x.jpg", "b_x.jpg"), touch(tmp_path / "cls", "a.png", "b.png")

    def pairs():
        return paired(files_in(images, "_x"), files_in(masks), images, masks)

    assert [(pair.name, pair.image.name, pair.mask.name) for pair in pairs()] == [
        ("a", "a_x.jpg", "a.png"),
        ("b", "b_x.jpg", "b.png"),
    ]
    (masks / "b.png").rename(masks / "B.png")
    with pytest.raises(FileNotFoundError, match=r"cls/B\.png has no partner: b_x\.jpg in .*img differs in case"):
        pairs()
    (masks / "B.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"img/b_x\.jpg has no partner: a file b\.png .* expected in .*cls"):
        pairs()


def test_lists(tmp_path):
    path = tmp_path / "list é.txt"
    path.write_bytes("\ufeffa 1\r\n\r\n  b\u00e9 \r\nc".encode())
    assert read_names(path) == {"a 1": 1, "bé": 3, "c": 4}
    for content, told in (
        (b"a\nb\r\na\n", "names a in lines 1 and 3"),
        (b"\xff\xfe\x00a", "is not UTF-8 text"),
        (b"\r\n \n", "is empty"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"list é\.txt {told}"):
            read_names(path)
    with pytest.raises(FileNotFoundError, match=r"gone\.txt does not exist"):
        read_names(tmp_path / "gone.txt")

"""Clouds through open3d: files that others can read, pictures of the right size, colours and side."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest

from labelkit.figures import clouds
from labelkit.figures.points3d import UNSHOWN

PALETTE = np.array([[200, 0, 0], [0, 200, 0]], np.uint8)
XYZ = np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 0.5]], np.float32)
RGB = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]], np.uint8)
LABELS = np.array([0, 1, 255, 1])


def bytes_of(path):
    """Header and rows of a PLY file, read without any library."""
    head, _, body = path.read_bytes().partition(b"end_header\n")
    fields = [("xyz", "<f4", 3), ("rgb", "u1", 3)] + ([("label", "<i4")] if b"int label" in head else [])
    return head.decode(), np.frombuffer(body, np.dtype(fields))


@pytest.fixture
def matplotlib_alone(monkeypatch):
    monkeypatch.setattr(clouds, "off_screen", lambda: False)


def test_a_cloud_of_open3d_has_the_same_points():
    pytest.importorskip("open3d")
    for rgb in (RGB, RGB / 255):
        cloud = clouds.to_open3d(XYZ, rgb)
        np.testing.assert_array_equal(np.asarray(cloud.points), XYZ)
        np.testing.assert_allclose(np.asarray(cloud.colors), RGB / 255, atol=1e-6)


def test_a_file_holds_points_colours_and_labels(tmp_path):
    library = pytest.importorskip("open3d")
    torch = pytest.importorskip("torch")
    path = tmp_path / "deep" / "room.ply"
    sample = {"xyz": torch.tensor(XYZ), "rgb": torch.tensor(RGB / 255), "label": torch.tensor(LABELS), "name": "a"}
    clouds.save_ply(path, sample)
    head, rows = bytes_of(path)
    assert "element vertex 4" in head and "property int label" in head
    np.testing.assert_array_equal(rows["xyz"], XYZ)
    np.testing.assert_array_equal(rows["rgb"], RGB)
    np.testing.assert_array_equal(rows["label"], LABELS)
    clouds.save_ply(path, sample, labels=LABELS[::-1], palette=PALETTE)
    _, rows = bytes_of(path)
    assert rows["label"].tolist() == [1, 255, 1, 0]
    assert rows["rgb"].tolist() == [PALETTE[1].tolist(), list(UNSHOWN), PALETTE[1].tolist(), PALETTE[0].tolist()]
    read = library.t.io.read_point_cloud(str(path)).point
    assert read["label"].numpy().ravel().tolist() == [1, 255, 1, 0]
    clouds.save_ply(path, (XYZ, RGB))
    assert bytes_of(path)[1].dtype.names == ("xyz", "rgb")
    assert [each.name for each in path.parent.iterdir()] == ["room.ply"]  # nothing half written stays


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    library = pytest.importorskip("open3d")
    path = tmp_path / "room.ply"
    path.write_text("old")
    monkeypatch.setattr(library.t.io, "write_point_cloud", lambda name, cloud: False)
    with pytest.raises(OSError, match=r"room\.ply: could not be written"):
        clouds.save_ply(path, (XYZ, RGB))
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "a.ply"
    for arguments, words in (
        ((path, (XYZ, RGB[:3])), r"colours \(3, 3\)"),
        ((path, (XYZ[:0], RGB[:0])), "with a point"),
        ((path, (np.where(XYZ == 2, np.inf, XYZ), RGB)), "1 of 4 points are not finite"),
        ((path, (XYZ, RGB), LABELS[:2]), "4 whole numbers"),
        ((path, (XYZ, RGB), LABELS + 0.5), "4 whole numbers"),
        ((path, (XYZ, RGB), None, PALETTE), "palette without labels"),
        ((tmp_path / "a.pcd", (XYZ, RGB)), "ends in .ply"),
    ):
        with pytest.raises(ValueError, match=words):
            clouds.save_ply(*arguments)
    with pytest.raises(ValueError, match="positive height"):
        clouds.render(XYZ, RGB, size=(0, 3))


def wall(colour, place, count=60):
    """A square of points across one axis, at a place on it."""
    across, up = np.meshgrid(np.linspace(-1, 1, count), np.linspace(-1, 1, count))
    return np.stack([np.full(across.size, place), across.ravel(), up.ravel()], 1), np.tile(colour, (across.size, 1))


def two_walls():
    """A red wall in front of a blue one, as seen from +x."""
    (front, red), (behind, blue) = wall([255, 0, 0], 0.3), wall([0, 0, 255], -0.3)
    return np.concatenate([front, behind]), np.concatenate([red, blue]).astype(np.uint8)


@pytest.mark.parametrize("size", [(97, 131), (120, 80)])
def test_a_picture_has_the_size_the_colours_and_the_side(matplotlib_alone, size):
    check_picture(size)


def test_a_picture_by_open3d():
    if not clouds.off_screen():
        pytest.skip("no Vulkan with a driver: open3d cannot draw without a window")
    check_picture((97, 131))
    check_picture((120, 80))


def check_picture(size):
    xyz, rgb = two_walls()
    for azimuth, seen, hidden in ((0.0, 0, 2), (180.0, 2, 0)):
        picture = clouds.render(xyz, rgb, size, (0.0, azimuth))
        assert picture.shape == (*size, 3) and picture.dtype == np.uint8
        assert all(
            (edge == 255).all() for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1])
        )  # all is in it
        centre = picture[size[0] // 2 - 4 : size[0] // 2 + 4, size[1] // 2 - 4 : size[1] // 2 + 4].astype(int)
        assert centre[..., seen].mean() > centre[..., hidden].mean() + 100
    (patch, green) = wall([0, 255, 0], 0.35, count=6)  # before the red wall, near its upper edge
    xyz, rgb = np.vstack([xyz, patch * [1, 0.1, 0.1] + [0, 0, 0.8]]), np.vstack([rgb, green]).astype(np.uint8)
    picture = clouds.render(xyz, rgb, size, (0.0, 0.0)).astype(int)
    rows, columns = np.nonzero(picture[..., 1] > picture[..., 0] + 60)
    assert len(rows) and rows.max() < size[0] / 2 and abs(columns.mean() - size[1] / 2) < 4  # up is up


def test_one_point_makes_a_picture(matplotlib_alone):
    picture = clouds.render(XYZ[:1], RGB[:1], (30, 40))
    assert picture.shape == (30, 40, 3) and (picture[..., 1] < 255).any()


def test_the_trial_of_the_renderer_stays_outside(monkeypatch):
    """A driver that is not there ends the process in which open3d asks for it."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    monkeypatch.setattr(clouds.importlib.util, "find_spec", lambda name: name)
    codes = iter([0, -6, 1])
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], next(codes)))
    for expected in (True, False, False):
        clouds.off_screen.cache_clear()
        assert clouds.off_screen() is expected
    monkeypatch.setattr(ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    clouds.off_screen.cache_clear()
    assert clouds.off_screen() is False
    clouds.off_screen.cache_clear()


def test_pictures_need_no_open3d(matplotlib_alone, monkeypatch):
    monkeypatch.setitem(sys.modules, "open3d", None)
    assert clouds.render(XYZ, RGB, (20, 20)).shape == (20, 20, 3)
    with pytest.raises(ImportError, match=r"labelkit\[points\]"):
        clouds.to_open3d(XYZ, RGB)

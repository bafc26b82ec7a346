"""ACDC in both layouts, every fault of a file said in one sentence, and the real slices where they are at hand."""

import gzip
import json
import os
import pickle
import shutil
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from labelkit.datasets import acdc
from labelkit.datasets.acdc_nifti import part_of
from labelkit.datasets.catalogue import check
from labelkit.datasets.volumes import square

WIDE, HIGH, SLICES = 20, 12, 3  # along x, y and z of a NIfTI file
OFFICIAL = ("patient001", "patient007", "patient009", "patient010", "patient012")
COMPACT = {"train": [1, 3], "val": [7], "test": [9]}


def signal(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 60.0, (WIDE, HIGH, SLICES)).astype(np.float32)


def labels(seed: int) -> np.ndarray:
    made = np.random.default_rng(seed + 1000).integers(0, 4, (WIDE, HIGH, SLICES), dtype=np.uint8)
    made.ravel()[:4] = range(4)
    return made


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-1.5, -1.5, 10.0, 1.0])), path)


def patient(home: Path, labelled: bool = True) -> None:
    number = int(home.name.removeprefix("patient"))
    write(home / f"{home.name}_4d.nii.gz", np.zeros((4, 4, 2, 2), np.int16))
    (home / "Info.cfg").write_text("ED: 1\nES: 12\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\nWeight: 95.0\n")
    for frame in (1, 12):
        write(home / f"{home.name}_frame{frame:02d}.nii.gz", signal(number + frame))
        if labelled:
            write(home / f"{home.name}_frame{frame:02d}_gt.nii.gz", labels(number + frame))


@pytest.fixture
def official(tmp_path: Path) -> Path:
    for name in OFFICIAL:
        patient(tmp_path / "training" / name)
    (tmp_path / "training" / "MANDATORY_CITATION.md").write_text("cite")
    return tmp_path


def arrays() -> dict[str, np.ndarray]:
    """Two frames of two slices for each patient, in no order."""
    rows = [
        (number, frame, cut)
        for numbers in COMPACT.values()
        for number in numbers
        for frame in (12, 1)
        for cut in (1, 0)
    ]
    generator = np.random.default_rng(0)
    return {
        "image": generator.integers(0, 256, (len(rows), 16, 16), dtype=np.uint8),
        "label": generator.integers(0, 4, (len(rows), 16, 16), dtype=np.uint8),
        "scribble": generator.integers(0, 5, (len(rows), 16, 16), dtype=np.uint8),
        "patient": np.array([row[0] for row in rows], np.int16),
        "frame": np.array([row[1] for row in rows], np.int16),
        "slice": np.array([row[2] for row in rows], np.int16),
        "split": np.array([split for split, numbers in COMPACT.items() for _ in numbers for _ in range(4)]),
    }


def save_compact(folder: Path, held: dict[str, np.ndarray]) -> None:
    np.savez_compressed(folder / acdc.COMPACT, **held)


@pytest.fixture
def compact(tmp_path: Path) -> Path:
    save_compact(tmp_path, arrays())
    (tmp_path / "splits.json").write_text(json.dumps(COMPACT))
    names = ("background", "right ventricle cavity", "myocardium", "left ventricle cavity")
    classes = [{"id": index, "name": name} for index, name in enumerate(names)]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": classes}))
    return tmp_path


def wrong(report) -> list[str]:
    return [f"{what}: {found}" for what, found, good in report.rows if not good]


# The owner's layout


def test_slices_lie_along_the_last_axis_and_are_scaled_by_volume(official: Path) -> None:
    part = acdc.parts(official, "", height=WIDE, width=WIDE)["train"]
    assert (part.name, part.classes, part.ignore_index, len(part)) == ("acdc-20x20", acdc.CLASSES, 255, 4 * SLICES)
    sample = part[SLICES + 1]  # patient 1, second frame
    assert sample["name"] == part.names[SLICES + 1] == "patient001-frame12-slice01"
    assert sample["image"].dtype == torch.float32 and sample["mask"].dtype == torch.int64
    volume = signal(13)
    white = np.percentile(volume, 99.5)
    expected = np.zeros((WIDE, WIDE))
    expected[4:16] = np.clip(volume[:, :, 1].T / white, 0, 1)
    assert np.abs(sample["image"][2].numpy() - expected).max() <= 0.51 / 255
    truth = np.zeros((WIDE, WIDE), np.int64)
    truth[4:16] = labels(13)[:, :, 1].T
    assert np.array_equal(sample["mask"].numpy(), truth) and np.array_equal(part.mask(SLICES + 1), truth)
    everything = torch.stack([part[index]["image"] for index in range(SLICES)])
    assert everything.max() == 1 and everything.min() == 0


def test_a_labelled_testing_folder_is_the_test_part(official: Path) -> None:
    parts = {part: set(data.groups) for part, data in acdc.parts(official, "").items()}
    assert parts == {
        "train": {"patient001", "patient012"}, "val": {"patient007"}, "test": {"patient009", "patient010"},
    }  # fmt: skip
    patient(official / "testing" / "patient101", labelled=False)
    assert set(acdc.parts(official, "")["test"].groups) == parts["test"]
    patient(official / "testing" / "patient102")
    with pytest.raises(FileNotFoundError, match=r"patient101_frame01_gt\.nii\.gz does not exist: .*Info\.cfg names"):
        acdc.parts(official, "")
    shutil.rmtree(official / "testing" / "patient101")
    found = acdc.parts(official, "")
    assert set(found["test"].groups) == {"patient102"}
    assert set(found["train"].groups) == parts["train"] | parts["test"] and set(found["val"].groups) == parts["val"]


def test_the_rule_gives_a_fifth_of_each_disease_to_val_and_to_test() -> None:
    for first in (1, 21, 41):
        given = [part_of(number, False) for number in range(first, first + 20)]
        assert (given.count("train"), given.count("val"), given.count("test")) == (12, 4, 4)
    assert {part_of(number, True) for number in range(1, 101)} == {"train", "val"}


def test_plain_nifti_and_a_folder_above_will_do(official: Path, tmp_path_factory) -> None:
    before = acdc.parts(official, "", 16, 16)["val"]
    above = tmp_path_factory.mktemp("above")
    shutil.copytree(official, above / "ACDC" / "database")
    for path in (above / "ACDC" / "database" / "training" / "patient007").glob("*.nii.gz"):
        path.with_name(path.name.removesuffix(".gz")).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    after = acdc.parts(above, "", 16, 16)["val"]
    assert all(torch.equal(a["image"], b["image"]) and torch.equal(a["mask"], b["mask"]) for a, b in zip(before, after))


def frame(root: Path, end: str = "") -> Path:
    return root / "training" / "patient007" / f"patient007_frame12{end}.nii.gz"


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


FAULTS = {
    "other shape": (
        lambda root: write(frame(root, "_gt"), labels(1)[:, :, :2]),
        r"patient007_frame12\.nii\.gz has the shape \(20, 12, 3\), but .*frame12_gt\.nii\.gz has \(20, 12, 2\): equal",
    ),
    "a label too many": (
        lambda root: write(frame(root, "_gt"), labels(1) + np.uint8(2)),
        r"patient007_frame12_gt\.nii\.gz holds the label value 4: 0, 1, 2 or 3 was expected",
    ),
    "half a label": (
        lambda root: write(frame(root, "_gt"), labels(1).astype(np.float32) * np.float32(0.5)),
        r"frame12_gt\.nii\.gz holds the label value 0\.5: 0, 1, 2 or 3",
    ),
    "no number": (
        lambda root: write(frame(root), np.full((WIDE, HIGH, SLICES), np.nan, np.float32)),
        r"frame12\.nii\.gz holds values that are not numbers: finite",
    ),
    "no image": (lambda root: frame(root).unlink(), r"patient007_frame12\.nii\.gz does not exist: .*Info\.cfg names"),
    "no labels": (lambda root: frame(root, "_gt").unlink(), r"patient007_frame12_gt\.nii\.gz does not exist"),
    "the whole recording": (
        lambda root: write(frame(root), np.zeros((WIDE, HIGH, SLICES, 2), np.int16)),
        r"frame12\.nii\.gz has 4 dimensions \(20, 12, 3, 2\): one frame with three was expected",
    ),
    "truncated": (
        lambda root: cut_short(frame(root)),
        r"frame12\.nii\.gz cannot be decoded \(.*\): a whole NIfTI file",
    ),
    "truncated labels": (lambda root: cut_short(frame(root, "_gt")), r"frame12_gt\.nii\.gz cannot be decoded"),
    "not NIfTI": (
        lambda root: frame(root).write_bytes(gzip.compress(b"hello" * 100)),
        r"frame12\.nii\.gz cannot be decoded",
    ),
    "not even gzip": (lambda root: frame(root).write_bytes(b"hello"), r"frame12\.nii\.gz cannot be decoded"),
    "empty": (lambda root: frame(root).write_bytes(b""), r"frame12\.nii\.gz cannot be decoded"),
    "no Info.cfg": (
        lambda root: (root / "training" / "patient007" / "Info.cfg").unlink(),
        r"patient007/Info\.cfg does not exist: it was expected to name the frames ED and ES",
    ),
    "Info.cfg without ES": (
        lambda root: (root / "training" / "patient007" / "Info.cfg").write_text("ED: 1\n"),
        r"patient007/Info\.cfg has no line `ES: number`",
    ),
    "one frame twice": (
        lambda root: (root / "training" / "patient007" / "Info.cfg").write_text("ED: 1\nES: 1\n"),
        r"Info\.cfg gives frame 1 as ED and as ES",
    ),
    "a patient in both folders": (
        lambda root: [patient(root / "testing" / name) for name in ("patient012", "patient009")],
        r"patient009 is in training and in testing of .*: one part a patient was expected",
    ),
    "nothing to validate on": (
        lambda root: shutil.rmtree(root / "training" / "patient007"),
        r"the split val of ACDC in .* is empty: slices with labels were expected",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_owners_layout_is_one_sentence(official: Path, fault: str) -> None:
    spoil, sentence = FAULTS[fault]
    spoil(official)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence) as caught:
        for part in acdc.parts(official, "", 16, 16).values():
            for _ in part:
                pass
    assert "\n" not in str(caught.value)
    assert any(str(caught.value)[:60] in line for line in wrong(check(official)))


def test_without_nibabel_the_sentence_says_how_to_get_it(official: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs nibabel: pip install nibabel$"):
        acdc.parts(official, "")


# The compact layout


def test_compact_slices_are_sorted_and_what_the_file_holds(compact: Path) -> None:
    parts = acdc.parts(compact, "", 16, 16)
    assert {name: len(part) for name, part in parts.items()} == {"train": 8, "val": 4, "test": 4}
    assert parts["val"].names == tuple(f"patient007-frame{f:02d}-slice{s:02d}" for f in (1, 12) for s in (0, 1))
    assert parts["train"].groups == ("patient001",) * 4 + ("patient003",) * 4
    held = arrays()
    row = int(np.flatnonzero((held["patient"] == 7) & (held["frame"] == 12) & (held["slice"] == 0))[0])
    sample = parts["val"][2]
    assert np.array_equal((sample["image"][1] * 255).round().numpy(), held["image"][row])
    assert np.array_equal(sample["mask"].numpy(), held["label"][row])
    sample["mask"].zero_()
    sample["image"].zero_()
    assert np.array_equal(parts["val"][2]["mask"].numpy(), held["label"][row]) and parts["val"][2]["image"].max() > 0
    assert torch.equal(pickle.loads(pickle.dumps(parts["val"]))[2]["image"], parts["val"][2]["image"])
    for index in (-1, 4):
        with pytest.raises(IndexError, match="0 to 3 was expected"):
            parts["val"][index]


def test_resizing_averages_images_and_invents_no_label(compact: Path) -> None:
    whole, small = acdc.parts(compact, "", 16, 16)["train"][0], acdc.parts(compact, "", 8, 8)["train"][0]
    average = torch.nn.functional.avg_pool2d(whole["image"][None], 2)[0]
    assert (small["image"] - average).abs().max() < 2 / 255
    blocks = whole["mask"].reshape(8, 2, 8, 2).permute(0, 2, 1, 3).reshape(8, 8, 4)
    assert (blocks == small["mask"][..., None]).any(dim=-1).all()
    assert acdc.parts(compact, "")["test"][0]["image"].shape == (3, 128, 128)


def test_padding_keeps_the_middle() -> None:
    padded = square(np.ones((2, 5), np.uint8))
    assert padded.shape == (5, 5) and padded[1:3].all() and padded.sum() == 10
    assert np.array_equal(square(np.ones((5, 2), np.uint8)), padded.T)


@pytest.mark.parametrize("layout", ["official", "compact"])
def test_fingerprint_follows_what_is_delivered(layout: str, request) -> None:
    root = request.getfixturevalue(layout)
    first = acdc.parts(root, "", 16, 16)
    prints = [part.fingerprint for part in first.values()]
    assert [part.fingerprint for part in acdc.parts(root, "", 16, 16).values()] == prints and len(set(prints)) == 3
    assert acdc.parts(root, "", 8, 16)["train"].fingerprint != prints[0]
    if layout == "official":
        write(frame(root, "_gt"), labels(77))
    else:
        held = arrays()
        held["label"][held["patient"] == 7] = 0
        save_compact(root, held)
    after = [part.fingerprint for part in acdc.parts(root, "", 16, 16).values()]
    assert [a == b for a, b in zip(prints, after, strict=True)] == [True, False, True]


def change(root: Path, **columns: np.ndarray) -> None:
    save_compact(root, arrays() | columns)


def without(root: Path, key: str) -> None:
    save_compact(root, {name: array for name, array in arrays().items() if name != key})


COMPACT_FAULTS = {
    "a label too many": (
        lambda root: change(root, label=arrays()["label"] + np.uint8(1)),
        r"holds the label value 4 in slice 0",
    ),
    "other shape": (
        lambda root: change(root, label=arrays()["label"][:, :8]),
        r"holds image \(16, 16, 16\), but label \(16, 8, 16\): equal shapes",
    ),
    "other depth": (
        lambda root: change(root, image=arrays()["image"].astype(np.float32)),
        r"holds image as float32 .*: uint8 \(N, H, W\)",
    ),
    "a patient too few": (
        lambda root: change(root, patient=arrays()["patient"][:-1]),
        r"holds patient \(15,\): \(16,\) was expected",
    ),
    "no labels": (lambda root: without(root, "label"), r"has no array 'label': image, label, patient"),
    "truncated": (lambda root: cut_short(root / acdc.COMPACT), r"acdc_slices_128\.npz cannot be decoded"),
    "not an archive": (
        lambda root: (root / acdc.COMPACT).write_bytes(b"hello"),
        r"acdc_slices_128\.npz cannot be decoded",
    ),
    "a patient in two lists": (
        lambda root: (root / "splits.json").write_text(json.dumps({**COMPACT, "val": [7, 3], "test": [9, 1]})),
        r"splits\.json lists patient 3 in train and in val: one part a patient",
    ),
    "a patient in two splits of the file": (
        lambda root: change(root, split=np.array(["train"] * 7 + ["val"] * 5 + ["test"] * 4)),
        r"has patient 3 in val, but splits\.json has it in train: the same split",
    ),
    "no list": (
        lambda root: (root / "splits.json").write_text('{"train": [1, 3], "val": [7]}'),
        r"splits\.json has no list 'test'",
    ),
    "no splits.json": (
        lambda root: (root / "splits.json").unlink(),
        r"splits\.json does not exist: it was expected to",
    ),
    "broken splits.json": (lambda root: (root / "splits.json").write_text("{"), r"splits\.json is not valid JSON"),
    "other classes": (
        lambda root: (root / "classes.json").write_text('{"classes": [{"id": 0, "name": "sky"}]}'),
        r"classes\.json calls class 0 'sky': 'background' was expected",
    ),
}


@pytest.mark.parametrize("fault", COMPACT_FAULTS)
def test_a_fault_of_the_compact_layout_is_one_sentence(compact: Path, fault: str) -> None:
    spoil, sentence = COMPACT_FAULTS[fault]
    spoil(compact)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence) as caught:
        acdc.parts(compact, "")
    assert "\n" not in str(caught.value)
    [line] = wrong(check(compact))
    assert line == f"files: {caught.value}"


# Finding and checking


def test_unknown_layout_and_variant(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no ACDC in .*training/patient001/.*acdc_slices_128\.npz"):
        acdc.parts(tmp_path, "")
    with pytest.raises(ValueError, match="ACDC has no variant '4d'"):
        acdc.parts(tmp_path, "4d")
    with pytest.raises(FileNotFoundError, match=r"no ACDC below .*acdc holds training/patient001/Info\.cfg"):
        check("acdc", tmp_path)


def test_a_whole_set_is_ok(official: Path, monkeypatch) -> None:
    assert wrong(check(official)) == ["patients: 5, 100 or 150 were expected"]
    monkeypatch.setattr(acdc, "PATIENTS", {"official": (5,)})
    report = check("acdc", official)
    assert report.ok and report.variant == "official, delivered at 128x128", report.lines
    assert acdc.parts(official, "")["val"].fingerprint in "\n".join(report.lines)
    for name in OFFICIAL:
        for path in (official / "training" / name).glob("*_gt.nii.gz"):
            write(path, np.zeros((WIDE, HIGH, SLICES), np.uint8))
    assert wrong(check(official)) == ["class shares: no pixel of right ventricle, myocardium, left ventricle"]


def test_a_broken_volume_is_named_once(official: Path, monkeypatch) -> None:
    monkeypatch.setattr(acdc, "PATIENTS", {"official": (5,)})
    write(frame(official, "_gt"), labels(1) + np.uint8(9))
    [line] = wrong(check(official))
    assert line.startswith("val: ") and "patient007_frame12_gt.nii.gz holds the label value" in line


@pytest.mark.skipif(
    not (Path(os.environ.get("LABELKIT_DATA", "/nowhere")) / "acdc_slices_128").is_dir(),
    reason="LABELKIT_DATA has no acdc_slices_128",
)
def test_the_real_slices_are_ok() -> None:
    report = check("acdc", os.environ["LABELKIT_DATA"])
    assert report.ok and report.variant == "compact, delivered at 128x128", report.lines
    for part, data in acdc.parts(Path(os.environ["LABELKIT_DATA"]), "", 64, 64).items():
        assert {part_of(int(group[-3:]), False) for group in data.groups} == {part}


def test_the_centre_is_the_middle_of_the_square_at_its_own_size():
    image = np.arange(12 * 10).reshape(12, 10)
    whole = square(image)
    assert whole.shape == (12, 12) and (square(image, 0.5) == whole[3:9, 3:9]).all()

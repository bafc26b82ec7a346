"""Corrupted data, one fault at a time: the check names it and goes on, reading refuses in one sentence, nothing is
written or lost, and once the fault is mended everything is as before.

The faults by number: images cut off (1) or empty (2), re-saved palettes (3), bit depths (4), sizes (5), colours (6),
ids (7), missing (8) and repeated (9) entries, byte order marks and line ends (10), spaces and letters beyond ASCII in
paths (11), names that differ in case alone (12), links in a circle (13), JSON (14), MAT (15), PLY (16), NIfTI (17).
Archives (18), checksums (19), full disks (20) and killed processes (21): see `test_broken_conversions`.
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import corrupting
import nibabel
import numpy as np
import pytest
import trees
import voc_trees
from corrupting import BROKEN, SUBJECTS, Bench, is_sentence
from PIL import Image

from labelkit.datasets.converting import FOLDER

PIXELS = [name for name, subject in SUBJECTS.items() if subject.image.endswith((".png", ".jpg", ".JPEG"))]
MASKS = [name for name, subject in SUBJECTS.items() if subject.mask.endswith(".png")]


@dataclass(frozen=True)
class Case:
    """A fault.

    Attributes:
        fault: number and name.
        subject: name of the data set.
        harm: what is done to a bench.
        says: what both sentences say, a regular expression.
        reads: None if reading refuses, otherwise the number of samples that can still be read: what the fault hides
            can be told by the check alone.
    """

    fault: str
    subject: str
    harm: Callable[[Bench], object]
    says: str
    reads: int | None = None


# what is done to a file


def cut(bench: Bench, path: str) -> None:
    trees.truncate(bench.folder / path)


def cut_line(bench: Bench, path: str) -> None:
    """The last line of a text loses its last two words."""
    file = bench.folder / path
    file.write_text(file.read_text().rstrip().rsplit(" ", 2)[0])


def empty(bench: Bench, path: str) -> None:
    (bench.folder / path).write_bytes(b"")


def text(bench: Bench, path: str) -> None:
    (bench.folder / path).write_text("<html>please log in</html>")


def gone(bench: Bench, path: str) -> None:
    (bench.folder / path).unlink()


def circle(bench: Bench, path: str) -> None:
    """A link to itself where a file was."""
    (bench.folder / path).unlink()
    (bench.folder / path).symlink_to(Path(path).name)


def other_case(bench: Bench, path: str) -> None:
    """The first letters of the name, in the other case."""
    file = bench.folder / path
    file.rename(file.with_name(swapped(file.name)))


def swapped(name: str) -> str:
    return re.sub(r"(?<![A-Za-z])[A-Za-z]+(?=.*\.)", lambda match: match[0].swapcase(), name, count=1)


def smaller(bench: Bench, path: str) -> None:
    """A label file, or a picture, with one row less, in its own form."""
    file = bench.folder / path
    with Image.open(file) as image:
        image.load()
    image.crop((0, 0, image.width, image.height - 1)).save(file)


def palette_of_greys(bench: Bench, path: str) -> None:
    """What a tool leaves that makes PNG smaller: a palette of the greys that occur, the indices in their order."""
    file = bench.folder / path
    with Image.open(file) as image:
        values = np.array(image)
    used, index = np.unique(values, return_inverse=True)
    used, index = used[::-1], len(used) - 1 - index  # so that no index is its grey
    saved = Image.fromarray(index.reshape(values.shape).astype(np.uint8))
    saved.putpalette(np.repeat(used.astype(np.uint8)[:, None], 3, axis=1).tobytes())
    saved.save(file)


def few_bits(bench: Bench, path: str) -> None:
    """A grey PNG with four bits, which decoders scale by 17; written by hand, as Pillow writes none."""
    import struct
    import zlib

    file = bench.folder / path
    with Image.open(file) as image:
        values = np.array(image) % 16
    height, width = values.shape
    padded = np.pad(values, ((0, 0), (0, width % 2)))
    packed = (padded[:, ::2] << 4 | padded[:, 1::2]).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def sixteen_bits(bench: Bench, path: str) -> None:
    """A picture or label file whose values were spread over 16 bits, as PNG whatever its name says."""
    file = bench.folder / path
    with Image.open(file) as image:
        values = np.array(image.convert("L")).astype(np.uint16) * 257
    Image.fromarray(values).save(file, format="PNG")


def sixteen_bit_colours(bench: Bench, path: str) -> None:
    """An RGB PNG with 16 bits a channel; written by hand, as Pillow writes none."""
    import struct
    import zlib

    file = bench.folder / path
    values = (corrupting.random_picture(file).astype(">u2") * 257).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def colours(bench: Bench, path: str) -> None:
    """A label file that somebody saved as colours of his own."""
    file = bench.folder / path
    Image.fromarray(corrupting.random_picture(file)).save(file)


def value(bench: Bench, path: str, label: int = 200) -> None:
    """One pixel of a label file gets another value, in the form that the file has."""
    file = bench.folder / path
    with Image.open(file) as image:
        image.load()
    image.putpixel((2, 3), label)
    image.save(file)


# what is done to a list


def less(bench: Bench, path: str) -> None:
    """The last line is left out."""
    file = bench.folder / path
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


def more(bench: Bench, path: str, line: str) -> None:
    with (bench.folder / path).open("a") as file:
        file.write(line + "\n")


def twice(bench: Bench, path: str) -> None:
    file = bench.folder / path
    more(bench, path, file.read_text().splitlines()[0])


def changed(bench: Bench, path: str, change: Callable[[dict], object]) -> None:
    """A JSON file, changed."""
    file = bench.folder / path
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def without(bench: Bench, path: str, keys: tuple[str | int, ...]) -> None:
    """A JSON file that lacks a field."""

    def remove(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    changed(bench, path, remove)


def mat(bench: Bench, path: str, form: str) -> None:
    """A MAT file of another version: 4, or 7.3, of which the head is enough."""
    file = bench.folder / path
    if form == "4":
        voc_trees.save_mat(
            file, {"GTcls": np.zeros((14, 18)), "LabelMap": np.zeros((14, 18)), "S": np.zeros((2, 3))}, "4"
        )
    else:
        file.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\0" * 384 + b"\x89HDF\r\n\x1a\n")


def mesh(bench: Bench, path: str, count: int) -> None:
    """The header of a PLY file promises another number of vertices."""
    file = bench.folder / path
    file.write_bytes(re.sub(rb"element vertex \d+", b"element vertex %d" % count, file.read_bytes()))


def axis(bench: Bench, path: str, number: int) -> None:
    """A NIfTI file saved with an axis the other way round, as tools do that bring volumes to one orientation."""
    file = bench.folder / path
    image = nibabel.load(file)
    turned = np.eye(4)
    turned[number, number], turned[number, 3] = -1, image.shape[number] - 1
    array = np.flip(np.asanyarray(image.dataobj), number)
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(array), image.affine @ turned), file)


def named(name: str, kind: str) -> str:
    return getattr(SUBJECTS[name], kind)


def file_cases() -> list[Case]:
    """The faults of single images and label files, of every reader that has them."""
    found = []
    for name in SUBJECTS:
        for kind in ("image", "mask"):
            if not (path := named(name, kind)):
                continue
            says = re.escape(Path(path).name)
            found += [
                Case(f"{number}-{kind}", name, partial(harm, path=path), says)
                for number, harm in (("1-cut", cut), ("2-empty", empty), ("2-text", text), ("13-circle", circle))
                if (name, kind, number) not in UNKNOWABLE
            ]
    for name in MASKS:
        path = named(name, "mask")
        says = re.escape(Path(path).name)
        found.append(Case("5-mask", name, partial(smaller, path=path), "was expected"))
        if name not in HARMLESS:
            found.append(Case("4-mask-16", name, partial(sixteen_bits, path=path), says))
    for name in PIXELS:
        path = named(name, "image")
        says = re.escape(Path(path).name)
        if name != "ilsvrc2012":
            found.append(Case("5-image", name, partial(smaller, path=path), says))
        found += [
            Case("4-image-16", name, partial(sixteen_bits, path=path), says),
            Case("4-image-48", name, partial(sixteen_bit_colours, path=path), says),
        ]
    return found


UNKNOWABLE = {
    ("cifar10", "image", "13-circle"),  # its only file: then there is no data set, and that is said
    ("s3dis", "mask", "1-cut"),  # text may be cut off behind a number; see `form_cases`
}
HARMLESS = ("magnetic-tiles",)  # whose masks are black and white: 16 bits change nothing


def palette_cases() -> list[Case]:
    """Label files that look right in a viewer and hold other numbers, and those that hold numbers of no class."""
    greys = ("camvid", "cityscapes", "ade20k", "lip", "viper", "cityscapes-vps")
    found = [
        Case("3-palette", name, partial(palette_of_greys, path=named(name, "mask")), r"palette PNG whose index .* grey")
        for name in greys
    ]
    found += [
        Case("4-mask-4", name, partial(few_bits, path=named(name, "mask")), r"grey PNG with 4 bits")
        for name in (*greys, "voc2012", "ecssd", "coco128", "davis2016", "magnetic-tiles")
    ]
    strange = {"isaid": r"holds the colour \(\d+, \d+, \d+\) at row 0, column 0"}
    found += [
        Case("6-colours", name, partial(colours, path=named(name, "mask")), strange.get(name, "colour"))
        for name in MASKS
    ]
    ids = {name: 200 for name in MASKS if name not in ("isaid", "magnetic-tiles")}
    found += [
        Case("7-id", name, partial(value, path=named(name, "mask"), label=label), f"value {label}")
        for name, label in ids.items()
    ]
    return found


def listing_cases() -> list[Case]:
    """Lists that lack a name, name one twice or one that is not there."""
    found = [
        Case("9-twice", name, partial(twice, path=named(name, "listing")), r"names .* in lines 1 and \d+: once was",
             43 if name == "ade20k" else None)
        for name in SUBJECTS
        if named(name, "listing")
    ]  # fmt: skip
    strange = {
        "camvid": ("/x/train/a9.png /x/trainannot/a9.png", r"a9\.png does not exist"),
        "voc2012": ("2011_009999", r"2011_009999\.(jpg|png|xml)"),
        "pascal-context": ("2011_009999", r"2011_009999\.(jpg|mat)"),
        "coco-stuff": ("COCO_train2014_000000009999", r"COCO_train2014_000000009999\.(jpg|mat)"),
        "ade20k": ("ADE_train_00009999 street", "names ADE_train_00009999, which is not there"),
        "lip": ("9999_train", "has no file 9999_train"),
        "scannet": ("scene0499_00", "scene0499_00 is not a folder"),
        "davis2016": ("/JPEGImages/480p/bus/00099.jpg /Annotations/480p/bus/00099.png", r"00099\.jpg does not exist"),
    }
    found += [
        Case(
            "8-more",
            name,
            partial(more, path=named(name, "listing"), line=line),
            says,
            43 if name == "ade20k" else None,
        )
        for name, (line, says) in strange.items()
    ]
    lacking = {
        "voc2012": (r"2008_000008\.png is in no list", 7),
        "lip": (r"does not name 139_train39\.jpg", None),
        "ade20k": (r"does not name .*ADE_val_00000003\.jpg", 43),
        "scannet": (r"scene0011_00 is in no list", 12),
        "camvid": (r"a1\.png is not in train\.txt", 5),
        "davis2016": (r"bus/00005\.jpg is not in the list", 4),
    }
    found += [
        Case("8-less", name, partial(less, path=named(name, "listing")), says, reads)
        for name, (says, reads) in lacking.items()
    ]
    return found


def name_cases() -> list[Case]:
    """Files that are not there, names that differ in case alone, and folders that are links to what holds them."""
    found = []
    for name in SUBJECTS:
        for kind in ("image", "mask"):
            path = named(name, kind)
            if not path or name in ("cifar10", "ilsvrc2012", "s3dis", "acdc"):
                continue
            says = re.escape(re.split("_gtFine|_leftImg|_inst|_newImg|_final", Path(path).stem)[0])
            if (name, kind) in UNSEEN:
                continue
            found.append(Case(f"8-gone-{kind}", name, partial(gone, path=path), says))
            if swapped(Path(path).stem + ".") != Path(path).stem + ".":
                found.append(Case(f"12-case-{kind}", name, partial(other_case, path=path), "case"))
    return found


UNSEEN = {("scannet", "mask"), ("viper", "mask")}  # then labels are read from JSON; frames without a label are usual


def form_cases() -> list[Case]:
    """JSON, MAT, PLY and NIfTI files that are not what they should be."""
    sbd, context = f"{corrupting.SBD}/cls/2008_000003.mat", "trainval/2008_000008.mat"
    stuff = "annotations/COCO_train2014_000000000113.mat"
    coco, vps = "annotations/instances_train2014.json", "panoptic_gt_val_city_vps.json"
    scan = "scans/scene0500_00/scene0500_00"
    found = [
        Case(f"15-{form}", name, partial(mat, path=path, form=form), f"MAT file of version {form}")
        for name, path in (("voc2012", sbd), ("pascal-context", context), ("coco-stuff", stuff))
        for form in ("4", "7.3")
    ]
    for name, path in (("voc2012", sbd), ("pascal-context", context), ("coco-stuff", stuff)):
        says = re.escape(Path(path).name)
        found += [
            Case("1-mat", name, partial(cut, path=path), says),
            Case("2-mat", name, partial(empty, path=path), says),
            Case("13-mat", name, partial(circle, path=path), says),
        ]
    found += [
        Case(
            "14-field", "coco", partial(without, path=coco, keys=("annotations", 2, "category_id")), "no 'category_id'"
        ),
        Case("14-list", "coco", partial(without, path=coco, keys=("images",)), "no list 'images'"),
        Case("1-json", "coco", partial(cut, path=coco), r"instances_train2014\.json is not valid JSON"),
        Case("2-json", "coco", partial(empty, path=coco), r"instances_train2014\.json is not valid JSON"),
        Case("14-field", "cityscapes-vps", partial(without, path=vps, keys=("annotations", 0, "segments_info")), vps),
        Case(
            "14-field", "scannet", partial(without, path=f"{scan}.aggregation.json", keys=("segGroups",)), "segGroups"
        ),
        Case("14-field", "coco128", partial(without, path="splits.json", keys=("val",)), "no list 'val'"),
        Case("14-entry", "coco128", partial(without, path="image_labels.json", keys=("000000000007",)), "no entry for"),
        Case("16-more", "scannet", partial(mesh, path=f"{scan}_vh_clean_2.ply", count=30), "a count is wrong"),
        Case("16-less", "scannet", partial(mesh, path=f"{scan}_vh_clean_2.ply", count=20), "a count is wrong"),
    ]
    chair = named("s3dis", "mask")
    found.append(Case("1-cut-line", "s3dis", partial(cut_line, path=chair), r"chair_2\.txt"))
    scan = named("acdc", "mask")
    found += [Case(f"17-{number}", "acdc", partial(axis, path=scan, number=number), "axes") for number in range(3)]
    return found


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Callable[[str], Path]:
    """The data root with an untouched tree of a subject, with what labelkit draws of it."""
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            root = tmp_path_factory.mktemp(name)
            SUBJECTS[name].build(root / SUBJECTS[name].folder)
            made[name] = root
        return made[name]

    return get


@pytest.fixture(autouse=True)
def small(monkeypatch):
    corrupting.small(monkeypatch)


CASES = file_cases() + palette_cases() + listing_cases() + name_cases() + form_cases()


@pytest.fixture(scope="module")
def benches(pristine, tmp_path_factory) -> dict[str, tuple[Bench, list, int]]:
    """For each subject a bench in good order, the rows of its check and the number of its samples; made when needed."""
    return {}


def in_order(benches: dict, pristine: Callable[[str], Path], folder: Path, name: str) -> tuple[Bench, list, int]:
    if name == "scannet":
        pytest.importorskip("open3d")
    if name not in benches:
        bench = Bench(SUBJECTS[name], pristine(name), folder)
        count = bench.subject.read(bench.root)  # first, so that what is drawn is drawn
        benches[name] = bench, bench.found(), count
    return benches[name]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.subject}-{case.fault}" for case in CASES])
def test_a_fault_is_said_and_mended(case: Case, benches, pristine, tmp_path):
    bench, rows, count = in_order(benches, pristine, tmp_path / "data", case.subject)
    del benches[case.subject]  # until it is in order again
    case.harm(bench)
    before = bench.files()
    broken = bench.found()
    new = [row for row in broken if row not in rows]
    assert all("\n" not in text for _, text, _ in broken), broken
    assert any(re.search(case.says, text) and is_sentence(text) and not good for _, text, good in new), new
    if case.reads is None:
        with pytest.raises(BROKEN, match=case.says) as error:
            bench.subject.read(bench.root)
        assert is_sentence(str(error.value)), error.value
    else:
        assert bench.subject.read(bench.root) == case.reads
    assert bench.files() == before
    bench.repair()
    assert bench.found() == rows and bench.subject.read(bench.root) == count
    benches[case.subject] = bench, rows, count


# what is no fault: lists as other systems write them, and paths as people have them


@pytest.mark.parametrize("name", list(SUBJECTS))
def test_byte_order_marks_and_line_ends_change_nothing(name, pristine, tmp_path):
    if name == "scannet":
        pytest.importorskip("open3d")
    bench = Bench(SUBJECTS[name], pristine(name), tmp_path / "data")
    count = bench.subject.read(bench.root)
    rows = bench.found()
    for path in bench.root.rglob("*"):
        if path.suffix in (".txt", ".json", ".cfg", ".tsv", ".xml") and FOLDER not in path.parts and name != "s3dis":
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert bench.subject.read(bench.root) == count
    drawn = ("fingerprint", "class shares", "as PNG")  # of the JSON files' bytes
    assert [row for row in bench.found() if row not in rows and not any(word in row[1] for word in drawn)] == []


@pytest.mark.parametrize("name", list(SUBJECTS))
def test_any_path_will_do(name, pristine, tmp_path):
    """Spaces, letters beyond ASCII, and a link to the data as the data root."""
    if name == "scannet":
        pytest.importorskip("open3d")
    plain = Bench(SUBJECTS[name], pristine(name), tmp_path / "data")
    count = plain.subject.read(plain.root)
    strange = Bench(SUBJECTS[name], pristine(name), tmp_path / "Meine Daten ß" / "データ 1")
    link = tmp_path / "a link"
    link.symlink_to(strange.root)
    strange.root = link
    assert strange.subject.read(link) == count
    assert sorted(plain.found()) == sorted(strange.found())


@pytest.mark.parametrize("name", ["camvid", "ade20k", "lip", "viper", "ecssd", "coco", "davis2016"])
def test_names_with_spaces_and_letters_beyond_ascii_are_read(name, pristine, tmp_path):
    bench = Bench(SUBJECTS[name], pristine(name), tmp_path / "data")
    count = bench.subject.read(bench.root)
    old = {"camvid": "a2", "ade20k": "ADE_train_00000007", "lip": "107_train7", "viper": "002", "ecssd": "0007"}.get(
        name
    )
    old = old or {"coco": "COCO_train2014_000000000034", "davis2016": "bus"}[name]
    new = "002" if name == "viper" else f"ein Bild é {old}"
    for path in sorted(bench.root.rglob(f"{old}*"), reverse=True):
        if FOLDER not in path.parts:
            path.rename(path.with_name(path.name.replace(old, new)))
    for path in bench.root.rglob("*"):
        if path.suffix in (".txt", ".json") and FOLDER not in path.parts:
            path.write_text(path.read_text().replace(old, new))
    assert bench.subject.read(bench.root) == count


BY_LIST = ("camvid", "davis2016", "isaid", "ilsvrc2012")  # a list or a fixed name decides


@pytest.mark.parametrize("name", [name for name in PIXELS if name not in BY_LIST])
def test_two_names_that_differ_in_case_alone(name, pristine, tmp_path):
    bench = Bench(SUBJECTS[name], pristine(name), tmp_path / "data")
    bench.subject.read(bench.root)
    image = bench.folder / named(name, "image")
    image = image.rename(image.with_name(f"A{image.name}"))
    shutil.copy(image, image.with_name(f"a{image.name[1:]}"))
    assert any("differ only in case" in text and not good for _, text, good in bench.rows())
    with pytest.raises(ValueError, match="differ only in case"):
        bench.subject.read(bench.root)


@pytest.mark.parametrize("name", [name for name, subject in SUBJECTS.items() if "/" in subject.image + subject.mask])
def test_a_folder_that_is_a_link_to_what_holds_it(name, pristine, tmp_path):
    """The link beside the files is passed over or refused; what it hides is said; nothing runs for ever."""
    bench = Bench(SUBJECTS[name], pristine(name), tmp_path / "data")
    count = bench.subject.read(bench.root)
    rows = bench.found()
    inside = (bench.folder / (named(name, "image") or named(name, "mask"))).parent
    shutil.move(inside, tmp_path / "kept")
    inside.symlink_to(inside.parent)
    try:
        new = [row for row in bench.found() if row not in rows]
        assert any(not good for _, _, good in new) and all("\n" not in text for _, text, _ in new)
    except FileNotFoundError as error:  # then the data set is not recognised any more
        assert is_sentence(str(error)) and "place it so that" in str(error)
    with pytest.raises(BROKEN) as error:
        bench.subject.read(bench.root)
    assert is_sentence(str(error.value))
    inside.unlink()
    shutil.move(tmp_path / "kept", inside)
    assert bench.found() == rows and bench.subject.read(bench.root) == count


def test_a_manifest_that_differs_is_a_finding(pristine, tmp_path):
    bench = Bench(SUBJECTS["ecssd"], pristine("ecssd"), tmp_path / "data")
    lines = [f"{'0' * 64}  images/0007.jpg", f"{'0' * 64}  images/0099.jpg"]
    (bench.folder / "MANIFEST.sha256").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    wrong = [text for what, text, good in bench.rows() if what == "manifest" and not good]
    assert "0007.jpg differs" in wrong[0] and "0099.jpg does not exist" in wrong[1]


def test_a_volume_turned_with_its_labels_is_found_among_the_others(pristine, tmp_path):
    """Both files say so, and agree: reading goes on, the check tells it from the owner's volumes."""
    bench = Bench(SUBJECTS["acdc"], pristine("acdc"), tmp_path / "data")
    for kind in ("image", "mask"):
        axis(bench, named("acdc", kind), 1)
    assert bench.subject.read(bench.root) == 30
    row = next(text for what, text, good in bench.rows() if what == "axes" and not good)
    assert row.endswith("patient007_frame01.nii.gz has the axes LAS: LPS was expected as in most")

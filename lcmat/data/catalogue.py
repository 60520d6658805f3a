"""Which data sets there are, which files hold them and what must be found inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

TRAIN, TEST = SPLITS = ("train", "test")


@dataclass(frozen=True)
class ParquetFile:
    """One split in one Parquet file: columns `image` (struct with encoded `bytes`) and `label`."""

    name: str
    sha256: str


@dataclass(frozen=True)
class TorchvisionFiles:
    """A class of `torchvision.datasets` and, per split, the file that it downloads."""

    dataset: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class DatasetSpec:
    """All that is known of a data set before it is read.

    Attributes:
        name: as on the command line.
        title: as in prose.
        image_size: height and width in pixels.
        counts: split -> number of images of each class.
        class_names: None where the source states them.
        parquet: split -> file, of the copies whose hash is known; empty if there is none.
        parquet_provenance: what those copies are, the beginning of a sentence.
        torchvision: where the canonical release comes from, if torchvision has it.
    """

    name: str
    title: str
    channels: int
    image_size: int
    counts: Mapping[str, tuple[int, ...]]
    class_names: tuple[str, ...] | None = None
    parquet: Mapping[str, ParquetFile] = field(default_factory=dict)
    parquet_provenance: str = ""
    torchvision: TorchvisionFiles | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.counts[TRAIN])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.channels, self.image_size, self.image_size


def _both(stem: str, train_sha256: str, test_sha256: str, *, test: str = TEST) -> dict[str, ParquetFile]:
    return {
        TRAIN: ParquetFile(f"{stem}-{TRAIN}.parquet", train_sha256),
        TEST: ParquetFile(f"{stem}-{test}.parquet", test_sha256),
    }


def _equal(num_classes: int, train: int, test: int) -> dict[str, tuple[int, ...]]:
    return {TRAIN: (train,) * num_classes, TEST: (test,) * num_classes}


def _same_file(dataset: str, file: str) -> TorchvisionFiles:
    return TorchvisionFiles(dataset, {TRAIN: file, TEST: file})


_NUMERALS = tuple("0123456789")
_IDX = {TRAIN: "train-images-idx3-ubyte.gz", TEST: "t10k-images-idx3-ubyte.gz"}
_BIT_EXACT = "a bit-exact copy of the canonical release in another order"

_SPECS = (
    DatasetSpec(
        name="digits",
        title="Digits",
        channels=1,
        image_size=8,
        counts={
            TRAIN: (142, 146, 142, 146, 145, 145, 145, 143, 139, 144),
            TEST: (36, 36, 35, 37, 36, 37, 36, 36, 35, 36),
        },
        class_names=_NUMERALS,
    ),
    DatasetSpec(
        name="mnist",
        title="MNIST",
        channels=1,
        image_size=28,
        counts={
            TRAIN: (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
            TEST: (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
        },
        class_names=_NUMERALS,
        parquet=_both(
            "mnist",
            "1d07ae4544bf5da9278efb6e6a3dfb9d55c9acd5876a09daaef60f262ff05ef1",
            "ac53c78199e78507dc81dc15f70594f6cc0114b436eb796ee15e76f104094e24",
        ),
        parquet_provenance=f"MNIST, {_BIT_EXACT}",
        torchvision=TorchvisionFiles("MNIST", _IDX),
    ),
    DatasetSpec(
        name="fashion-mnist",
        title="Fashion-MNIST",
        channels=1,
        image_size=28,
        counts=_equal(10, 6000, 1000),
        parquet=_both(
            "fashion-mnist",
            "4299c3906903057b97e6647f27299f6530dc451e31ef9f8315ce6a3ded0f2864",
            "26397e57b43f141b3e20b3a7721a7e358894d273b534d6730d45ed1a50a1ffb8",
        ),
        parquet_provenance=f"Fashion-MNIST, {_BIT_EXACT}",
        torchvision=TorchvisionFiles("FashionMNIST", _IDX),
    ),
    DatasetSpec(
        name="cifar10",
        title="CIFAR-10",
        channels=3,
        image_size=32,
        counts=_equal(10, 5000, 1000),
        parquet=_both(
            "cifar10",
            "41ea234dd3b60c1ca4d2f51ae72303d44cbec68a0fb85ba526cb72ec27c161ed",
            "2c1fbbb83ac4aff8a2915f40973c7060971626597ab6848e4dd84dad03a2348c",
        ),
        parquet_provenance="JPEG q75 CIFAR-10, a complete but lossy copy (4:2:0), not the canonical pixels",
        torchvision=_same_file("CIFAR10", "cifar-10-python.tar.gz"),
    ),
    DatasetSpec(
        name="cifar100",
        title="CIFAR-100",
        channels=3,
        image_size=32,
        counts=_equal(100, 500, 100),
        torchvision=_same_file("CIFAR100", "cifar-100-python.tar.gz"),
    ),
    DatasetSpec(
        name="svhn",
        title="SVHN",
        channels=3,
        image_size=32,
        counts={
            TRAIN: (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659),
            TEST: (1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595),
        },
        class_names=_NUMERALS,
        torchvision=TorchvisionFiles("SVHN", {TRAIN: "train_32x32.mat", TEST: "test_32x32.mat"}),
    ),
    DatasetSpec(
        name="tiny-imagenet-32",
        title="Tiny-ImageNet, 32x32",
        channels=3,
        image_size=32,
        counts=_equal(200, 500, 50),
        # The published test split has no labels: the validation split is what everybody tests on.
        parquet=_both(
            "tiny-imagenet32",
            "8eeffcd01ad7dbab86970aa10b7ba91bbbb03e1b562e88431c20385f13008555",
            "a23673706ffa208beb1bfe7f7e8802aacfcc5be96f3eee4d1071ef28f6abbd3a",
            test="val",
        ),
        parquet_provenance="Tiny-ImageNet 32x32, means of 2x2 pixels, JPEG q85 4:2:0, tested on the validation split",
    ),
)

DATASETS: Mapping[str, DatasetSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})

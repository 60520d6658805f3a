"""Which data sets there are, which files hold them and what must be found inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

TRAIN, TEST = SPLITS = ("train", "test")


@dataclass(frozen=True)
class ParquetFile:
    """One split in one Parquet file: columns `image` (struct with encoded `bytes`), `label` and perhaps `index`."""

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
        content: split -> `lcmat.data.dataset.content_hash` of the canonical release in its order, where that is known;
            checked whichever way the images came.
        unproven: split -> rows of that order of which no copy is proven to hold the right image (of the right class);
            `content` is taken with black images there.
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
    content: Mapping[str, str] = field(default_factory=dict)
    unproven: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_sizes)

    @property
    def class_sizes(self) -> tuple[int, ...]:
        """Training images of each class."""
        return self.counts[TRAIN]

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


def _content(train: str, test: str) -> dict[str, str]:
    return {TRAIN: train, TEST: test}


def _same_file(dataset: str, file: str) -> TorchvisionFiles:
    return TorchvisionFiles(dataset, {TRAIN: file, TEST: file})


_NUMERALS = tuple("0123456789")
_IDX = {TRAIN: "train-images-idx3-ubyte.gz", TEST: "t10k-images-idx3-ubyte.gz"}
_BIT_EXACT = "a bit-exact copy of the canonical release"

# Images that the sources of the copy name "manual...", so that nothing tells which of them is in which of these rows.
# fmt: off
_UNPROVEN = {
    TRAIN: (
        96, 389, 1045, 3142, 3213, 3428, 3875, 4813, 5519, 5583, 7682, 7906, 9218, 9609, 9856, 10243, 10416, 10863,
        11091, 12645, 12935, 13330, 14058, 14436, 14691, 14702, 15154, 15204, 15871, 16403, 16664, 17148, 17261,
        18869, 19118, 19693, 19801, 20039, 20620, 20691, 20931, 21250, 21759, 21850, 22450, 22647, 23222, 23505,
        24239, 25876, 26737, 27144, 27445, 27514, 27784, 27884, 28116, 28817, 29288, 29627, 29688, 30274, 30665,
        30730, 31487, 32118, 34109, 34158, 34316, 34979, 35359, 36098, 36470, 36676, 36976, 37294, 37406, 37419,
        37616, 38177, 38587, 39269, 39635, 39709, 40659, 40917, 43786, 44235, 44872, 45610, 45798, 46430, 46613,
        46744, 46803, 47596, 47757, 48279, 48979, 49850,
    ),
    TEST: (
        97, 607, 821, 1092, 2180, 3075, 4126, 4177, 4412, 4554, 4626, 4860, 6067, 6109, 6201, 7468, 7618, 7620, 7966,
        9283, 9373, 9679, 9966,
    ),
}
# fmt: on

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
        content=_content(
            "a91fe7353c210cab45747da5b457a6b559b559561aad17c6bd206c60c6278b6e",
            "2a5e0fcfaf6756a47071f11e1bb55825095fb62fc132db94ade8787f946ca833",
        ),
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
        content=_content(
            "71d3be42f93ad20da73bb4a9744d0bebdaa6832be56dc010e21940e72c4c8b1e",
            "4718853ea946af656684509414983beff2e65cf414265c27966161014c003b8b",
        ),
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
        content=_content(
            "a8007d7be041707b663947cf4c2d8a73d1704ccde85043273b866d5181bde6c2",
            "3581bf52f521803120533f28e81ae934decd1771980630083c739dc6da7d3bc6",
        ),
    ),
    DatasetSpec(
        name="cifar10",
        title="CIFAR-10",
        channels=3,
        image_size=32,
        counts=_equal(10, 5000, 1000),
        parquet=_both(
            "cifar-10",
            "f8ed0e4536f94deb8d3508157f8e56948ce0e73093cfc9ae5a51361d2f228846",
            "d066ba0b275663466f8f7a64c3a8067af97f79cc25fb9d2675d6caab848b8f12",
        ),
        parquet_provenance=f"CIFAR-10, {_BIT_EXACT}",
        torchvision=_same_file("CIFAR10", "cifar-10-python.tar.gz"),
        content=_content(
            "f3120a8fa253dbdad16aeebfcbcdbe65951c58226061082bf1b61dde3add92d7",
            "815bee49b92162b075142619fb16b9562d1186e49d0509d9cf0af8940f739265",
        ),
    ),
    DatasetSpec(
        name="cifar100",
        title="CIFAR-100",
        channels=3,
        image_size=32,
        counts=_equal(100, 500, 100),
        parquet=_both(
            "cifar-100",
            "9a9671d93077a623cac25c4099dd0a04b0b90e729550ff450076c8100073a6ac",
            "df0a6fe702159f274f45e6de3508ca9ebeaf80a201b4c70285d2d3c12d6a5b65",
        ),
        parquet_provenance="CIFAR-100, a lossless copy of the canonical release but for which of 123 images of three "
        "classes (beaver, shrew, skunk) is in which of their rows",
        torchvision=_same_file("CIFAR100", "cifar-100-python.tar.gz"),
        content=_content(
            "85ac6855817d2c173e17a55b957da131bdfb746b1758cc327b9f38d5c9c15ef3",
            "cefc3e12061b3b3c95bf4790c00088e9e9132cb54f7a54a1acb49d210e505056",
        ),
        unproven=_UNPROVEN,
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

"""Real digits, speech and pictures, and pairs of them with a known mutual information.

Two small sets come with the package (`load_digits`, `load_speech`; ``data/README.md`` describes
them). With ``full=True`` or SIMMIM_FULL=1 the same functions give all of MNIST and the human
recordings of FSDD, found in the folder that SIMMIM_DATA names or downloaded once into a cache
(SIMMIM_CACHE moves it). `DataError` says what is wrong with a file and what to do.
"""

from simmim_lite.datasets._captions import Captions, describe, load_captions, measure_strokes
from simmim_lite.datasets._catalogue import available, download, files
from simmim_lite.datasets._damage import (
    DamagedDigits,
    add_noise,
    babble,
    keep_components,
    load_damaged_digits,
    principal_components,
)
from simmim_lite.datasets._files import DataError
from simmim_lite.datasets._images import (
    CIFAR10_CLASSES,
    Images,
    load_cifar10,
    load_digits,
    load_mnist,
    read_image,
)
from simmim_lite.datasets._pairs import MODALITIES, Pairs, paired_digits
from simmim_lite.datasets._speech import Speech, load_fsdd, load_speech, read_wav

__all__ = [
    "CIFAR10_CLASSES",
    "MODALITIES",
    "Captions",
    "DamagedDigits",
    "DataError",
    "Images",
    "Pairs",
    "Speech",
    "add_noise",
    "available",
    "babble",
    "describe",
    "download",
    "files",
    "keep_components",
    "load_captions",
    "load_cifar10",
    "load_damaged_digits",
    "load_digits",
    "load_fsdd",
    "load_mnist",
    "load_speech",
    "measure_strokes",
    "paired_digits",
    "principal_components",
    "read_image",
    "read_wav",
]

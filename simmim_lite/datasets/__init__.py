"""Real digits, speech and pictures, and pairs of them with a known mutual information.

Two small sets come with the package (`load_digits`, `load_speech`; ``data/README.md`` describes
them). With ``full=True`` or SIMMIM_FULL=1 the same functions give all of MNIST and the human
recordings of FSDD, found in the folder that SIMMIM_DATA names or downloaded once into a cache
(SIMMIM_CACHE moves it). `DataError` says what is wrong with a file and what to do.
"""

from simmim_lite.datasets._captions import (
    Captions as Captions,
    describe as describe,
    load_captions as load_captions,
    measure_strokes as measure_strokes,
)
from simmim_lite.datasets._catalog import (
    available as available,
    download as download,
    files as files,
)
from simmim_lite.datasets._damage import (
    DamagedDigits as DamagedDigits,
    add_noise as add_noise,
    babble as babble,
    keep_components as keep_components,
    load_damaged_digits as load_damaged_digits,
    principal_components as principal_components,
)
from simmim_lite.datasets._files import DataError as DataError
from simmim_lite.datasets._images import (
    CIFAR10_CLASSES as CIFAR10_CLASSES,
    Images as Images,
    load_cifar10 as load_cifar10,
    load_digits as load_digits,
    load_mnist as load_mnist,
    read_image as read_image,
)
from simmim_lite.datasets._pairs import (
    MODALITIES as MODALITIES,
    Pairs as Pairs,
    paired_digits as paired_digits,
)
from simmim_lite.datasets._speech import (
    Speech as Speech,
    load_fsdd as load_fsdd,
    load_speech as load_speech,
    read_wav as read_wav,
)

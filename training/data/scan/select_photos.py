"""Which of the inspected files are used: here duplicates, and pictures in two classes or splits, are left out."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64
from torch import Tensor

from training.data.layout.layout import Layout
from training.data.options import SPLITS
from training.data.scan.findings import FileProblem, Finding, Photo, Scan
from training.data.scan.inspect_file import InspectedFile
from training.data.scan.near_duplicates import earliest_partner, merge_groups, near_duplicate_pairs


def select_photos(layout: Layout, inspected: Iterable[InspectedFile]) -> Scan:
    """The scan of the files of a layout.

    Of several copies of a picture in one class the first by name is used; of a picture in two classes no copy is. Where
    the data comes with splits, the copy in the test split is used rather than the one in validation, and that one
    rather than the one in training. The same holds for near-duplicates.
    """
    findings = _layout_findings(layout)
    thumbnails: dict[str, bytes] = {}
    copies: dict[str, list[Photo]] = defaultdict(list)
    for file in inspected:
        findings += file.findings
        if file.digest:
            photo = Photo(file.name, layout.folder_of[file.name], file.digest, layout.split_of.get(file.name, ""))
            copies[file.digest].append(photo)
            thumbnails[file.digest] = file.thumbnail
    photos = [photo for group in copies.values() for photo in _select_copy(group, findings)]
    photos.sort(key=lambda photo: photo.name)
    photos = _select_near_duplicates(photos, thumbnails, findings)
    order = sorted(findings, key=lambda finding: (list(FileProblem).index(finding.problem), finding.name))
    return Scan(tuple(photos), tuple(order))


def _layout_findings(layout: Layout) -> list[Finding]:
    """Files without a class, files with several classes, and files that a table lists but that do not exist."""
    return [
        *(Finding(name, FileProblem.OUTSIDE, layout.no_class_reason) for name in layout.outside),
        *(
            Finding(name, FileProblem.MISSING, "the table of labels lists it, but there is no such file")
            for name in layout.missing
        ),
        *(
            Finding(
                name, FileProblem.CONFLICT, f"the table of labels gives it several labels ({labels}); it is not used"
            )
            for name, labels in layout.contradictory.items()
        ),
    ]


def _select_copy(group: list[Photo], findings: list[Finding]) -> list[Photo]:
    """The photo that is used of those with the same pixels, in a list; an empty list if they are of several classes."""
    if len({photo.folder for photo in group}) > 1:
        findings += [
            Finding(
                photo.name,
                FileProblem.CONFLICT,
                f"the same picture is in another class, as {_of_other_classes(photo, group)}; none of them is used",
            )
            for photo in group
        ]
        return []
    selected, *copies = sorted(group, key=_test_first)
    for copy in copies:
        leaks = _test_first(copy)[0] != _test_first(selected)[0]
        where = f" of the {selected.split} split" if leaks else ""
        findings.append(
            Finding(
                copy.name,
                FileProblem.LEAK if leaks else FileProblem.DUPLICATE,
                f"the same picture as {selected.name}{where}, which is used instead",
            )
        )
    return [selected]


def _test_first(photo: Photo) -> tuple[int, str]:
    return (-SPLITS.index(photo.split) if photo.split else 0, photo.name)


def _of_other_classes(photo: Photo, group: Sequence[Photo]) -> str:
    return ", ".join(copy.name for copy in group if copy.folder != photo.folder)


@dataclass(frozen=True)
class _Links:
    """Which photos look like which, by index.

    `first` has for each photo the first photo of its group of near-duplicates. The others have, for each photo that has
    one, its earliest near-duplicate in a stricter split (validation is stricter than training, test is the strictest),
    in another class, or earlier in the list.
    """

    first: list[int]
    stricter: dict[int, int]
    other_class: dict[int, int]
    earlier: dict[int, int]


def _select_near_duplicates(photos: list[Photo], thumbnails: dict[str, bytes], findings: list[Finding]) -> list[Photo]:
    """The photos with their groups, without those that have a near-duplicate in a stricter split.

    Where more than half of the training photos would be left out (frames of one camera, say) all are used and only
    reported.
    """
    links = _link(photos, [thumbnails[photo.digest] for photo in photos])
    photos = _with_groups(photos, links.first)
    training = [index for index, photo in enumerate(photos) if photo.split in ("", "train")]
    too_many = sum(index in links.stricter for index in training) > len(training) / 2
    for index, photo in enumerate(photos):
        if index in links.stricter:
            problem = FileProblem.NEAR_LEAK if too_many else FileProblem.LEAK
            partner = photos[links.stricter[index]]
            consequence = (
                "; both are used, because more than half of the training photos have such a near-duplicate"
                if too_many
                else ", which is used instead"
            )
            detail = f"a near-duplicate of {partner.name} of the {partner.split} split{consequence}"
            findings.append(Finding(photo.name, problem, detail))
        elif index in links.other_class:
            partner = photos[links.other_class[index]]
            detail = f"a near-duplicate of {partner.name}, which is in another class; both are used"
            findings.append(Finding(photo.name, FileProblem.NEAR_CONFLICT, detail))
        elif index in links.earlier and links.earlier[index] not in links.stricter:
            detail = f"a near-duplicate of {photos[links.earlier[index]].name}; both are used"
            findings.append(Finding(photo.name, FileProblem.NEAR_DUPLICATE, detail))
    return [photo for index, photo in enumerate(photos) if too_many or index not in links.stricter]


def _link(photos: Sequence[Photo], thumbnails: Sequence[bytes]) -> _Links:
    folders = sorted({photo.folder for photo in photos})
    folder = torch.tensor([folders.index(photo.folder) for photo in photos])
    split = torch.tensor([SPLITS.index(photo.split or "train") for photo in photos])
    first, no_partner = torch.arange(len(photos)), torch.full((len(photos),), len(photos))
    stricter, other_class, earlier = no_partner, no_partner, no_partner
    for pairs in near_duplicate_pairs(thumbnails):
        first = merge_groups(first, pairs)
        both_ways = torch.cat([pairs, pairs.flip(1)])
        one, other = both_ways.unbind(dim=1)
        stricter = earliest_partner(stricter, both_ways[split[one] > split[other]])
        other_class = earliest_partner(other_class, both_ways[folder[one] != folder[other]])
        earlier = earliest_partner(earlier, pairs)
    return _Links(first.tolist(), _by_index(stricter), _by_index(other_class), _by_index(earlier))


def _by_index(partners: Int64[Tensor, " n"]) -> dict[int, int]:
    return {index: partner for index, partner in enumerate(partners.tolist()) if partner < len(partners)}


def _with_groups(photos: Sequence[Photo], first: Sequence[int]) -> list[Photo]:
    """The photos, each with the digest that stands for its group of near-duplicates."""
    groups: dict[int, str] = {}
    for photo, number in zip(photos, first, strict=True):
        groups[number] = min(photo.digest, groups.get(number, photo.digest), key=_second_half)
    return [replace(photo, group=groups[number]) for photo, number in zip(photos, first, strict=True)]


def _second_half(digest: str) -> str:
    # A group is named by its smallest digest in this order, so the names of the files do not matter. Any order would
    # do; with this one the splits of the bundled models stay as they were made.
    return digest[len(digest) // 2 :]

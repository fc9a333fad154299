"""From what was seen of each file to the photos that are used: copies, and what lies in two classes or splits."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch

from training.data.layout.layout import SIDES, Layout
from training.data.scan.inspect_file import Finding, Looked, Photo, Problem, Scan
from training.data.scan.near_duplicates import alike, earliest, joined


def sort_out(found: Layout, looked: Iterable[Looked]) -> Scan:
    """The scan of the files of a layout.

    Of copies in one class the first by name is used; of a picture in two classes no copy is. Where a split was given,
    the copy that judges is used, not the one that trains; so with photos that are only nearly the same.
    """
    findings = [Finding(name, Problem.OUTSIDE, found.without) for name in found.outside]
    findings += [
        Finding(name, Problem.MISSING, "listed in the table of labels, and not there") for name in found.missing
    ]
    findings += [
        Finding(name, Problem.CONFLICT, f"labelled {told} in the table of labels; it is not used")
        for name, told in found.contradictory.items()
    ]
    thumbnails: dict[str, bytes] = {}
    same: dict[str, list[Photo]] = defaultdict(list)
    for seen in looked:
        findings += seen.findings
        if seen.digest:
            photo = Photo(seen.name, found.folder_of[seen.name], seen.digest, found.side_of.get(seen.name, ""))
            same[seen.digest].append(photo)
            thumbnails[seen.digest] = seen.thumbnail
    photos = [photo for group in same.values() for photo in _copies(group, findings)]
    photos = _alike(sorted(photos, key=lambda photo: photo.name), thumbnails, findings)
    order = sorted(findings, key=lambda finding: (list(Problem).index(finding.problem), finding.name))
    return Scan(tuple(photos), tuple(order))


def _half(digest: str) -> str:
    # What calls a group by one of its digests, whatever the files are called. Any order would do; this one leaves the
    # splits of the bundled models as they were made.
    return digest[len(digest) // 2 :]


def _copies(group: list[Photo], findings: list[Finding]) -> list[Photo]:
    """The one photo of a group of the same pixels that is used, if any."""
    if len({photo.folder for photo in group}) > 1:
        findings += [
            Finding(photo.name, Problem.CONFLICT, f"the same picture as {_others(photo, group)}; neither is used")
            for photo in group
        ]
        return []
    kept, *others = sorted(group, key=_judges_first)
    for copy in others:
        leaks = _judges_first(copy)[0] != _judges_first(kept)[0]
        detail = f"{kept.name} of the {kept.side} split is used" if leaks else f"of {kept.name}"
        findings.append(Finding(copy.name, Problem.LEAK if leaks else Problem.DUPLICATE, detail))
    return [kept]


def _judges_first(photo: Photo) -> tuple[int, str]:
    return (-SIDES.index(photo.side) if photo.side else 0, photo.name)


def _others(photo: Photo, group: Sequence[Photo]) -> str:
    return ", ".join(other.name for other in group if other.folder != photo.folder)


def _alike(photos: list[Photo], thumbnails: dict[str, bytes], findings: list[Finding]) -> list[Photo]:
    """The photos with their groups, without those that train on what nearly is a photo of a stricter side.

    Where most would go (frames of one camera, say) all stay, and are told of.
    """
    folders = sorted({photo.folder for photo in photos})
    folder = torch.tensor([folders.index(photo.folder) for photo in photos])
    side = torch.tensor([SIDES.index(photo.side or "train") for photo in photos])
    linked, nobody = torch.arange(len(photos)), torch.full((len(photos),), len(photos))
    judges, others, earlier_ones = nobody, nobody, nobody
    for pairs in alike([thumbnails[photo.digest] for photo in photos]):
        linked = joined(linked, pairs)
        mutual = torch.cat([pairs, pairs.flip(1)])
        one, other = mutual.unbind(dim=1)
        judges = earliest(judges, mutual[side[one] > side[other]])
        others = earliest(others, mutual[folder[one] != folder[other]])
        earlier_ones = earliest(earlier_ones, pairs)
    groups: dict[int, str] = {}
    for photo, first in zip(photos, linked.tolist(), strict=True):
        groups[first] = min(photo.digest, groups.get(first, photo.digest), key=_half)
    photos = [replace(photo, group=groups[first]) for photo, first in zip(photos, linked.tolist(), strict=True)]
    leaking, conflicting, earlier = (
        {index: other for index, other in enumerate(found.tolist()) if other < len(photos)}
        for found in (judges, others, earlier_ones)
    )
    training = [index for index, photo in enumerate(photos) if photo.side in ("", "train")]
    too_many = sum(index in leaking for index in training) > len(training) / 2
    for index, photo in enumerate(photos):
        if index in leaking:
            judge = photos[leaking[index]]
            problem = Problem.NEAR_LEAK if too_many else Problem.LEAK
            told = "both are used, as most look so" if too_many else "which is used"
            findings.append(Finding(photo.name, problem, f"nearly {judge.name} of the {judge.side} split, {told}"))
        elif index in conflicting:
            findings.append(Finding(photo.name, Problem.NEAR_CONFLICT, f"looks like {photos[conflicting[index]].name}"))
        elif index in earlier and earlier[index] not in leaking:
            findings.append(Finding(photo.name, Problem.NEAR_DUPLICATE, f"of {photos[earlier[index]].name}"))
    return [photo for index, photo in enumerate(photos) if too_many or index not in leaking]

"""From what was seen of each file to the photos that are used: copies, and what lies in two classes or splits."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from training.data.alike import alike
from training.data.layout import SIDES, Layout
from training.data.scan import Finding, Looked, Photo, Problem, Scan
from training.data.sources import Source


def sort_out(source: Source, found: Layout, looked: Iterable[Looked]) -> Scan:
    """The scan of a source.

    Of copies in one class the first by name is used; of a picture in two classes no copy is. Where a split was given,
    the copy that judges is used, not the one that trains; so with photos that are only nearly the same.
    """
    findings = [Finding(name, Problem.OUTSIDE, "beside the class folders") for name in found.outside]
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
    return Scan(source.listing, tuple(photos), tuple(order))


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
        leaks = copy.side != kept.side
        detail = f"{kept.name} of the {kept.side} split is used" if leaks else f"of {kept.name}"
        findings.append(Finding(copy.name, Problem.LEAK if leaks else Problem.DUPLICATE, detail))
    return [kept]


def _judges_first(photo: Photo) -> tuple[int, str]:
    return (-SIDES.index(photo.side) if photo.side else 0, photo.name)


def _others(photo: Photo, group: Sequence[Photo]) -> str:
    return ", ".join(other.name for other in group if other.folder != photo.folder)


def _alike(photos: list[Photo], thumbnails: dict[str, bytes], findings: list[Finding]) -> list[Photo]:
    """The photos with their groups, without those that train on what nearly is a photo of another side."""
    first = alike([thumbnails[photo.digest] for photo in photos])
    groups: dict[int, list[Photo]] = defaultdict(list)
    for photo, leader in zip(photos, first, strict=True):
        groups[leader].append(replace(photo, group=photos[leader].digest))
    kept = []
    for group in groups.values():
        judge = min(group, key=_judges_first)
        for photo in group:
            if photo.side != judge.side:
                detail = f"nearly {judge.name} of the {judge.side} split, which is used"
                findings.append(Finding(photo.name, Problem.LEAK, detail))
                continue
            kept.append(photo)
            if others := _others(photo, group):
                findings.append(Finding(photo.name, Problem.NEAR_CONFLICT, f"looks like {others}"))
            elif photo is not judge:
                findings.append(Finding(photo.name, Problem.NEAR_DUPLICATE, f"of {judge.name}"))
    return sorted(kept, key=lambda photo: photo.name)

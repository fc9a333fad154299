"""Checks a data set without changing it: inspects every file, and optionally every label with a linear probe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import torch
from rich.console import Console

from models import architectures
from models.classifier import Classifier
from models.files import write_atomically
from training.console import print_classes, print_findings, print_line, summary, track
from training.data.layout.layout import Layout, class_names, layout, layout_messages
from training.data.loading.batches import LabelledPhotos, serving_batches
from training.data.options import DataOptions
from training.data.scan.findings import FileProblem, Finding, Scan
from training.data.scan.inspect_file import UNDECODABLE, read_picture
from training.data.scan.scan_source import scan_files
from training.data.sources.open_source import UNPACKED, open_source
from training.data.sources.source import BadData, Source
from training.label_errors import find_label_errors
from training.metrics import gather
from training.pretrained import load_pretrained
from training.report.page import GalleryItem, document, gallery, table, thumbnail
from training.tables import write_findings

MAX_THUMBNAILS = 48
"""Largest number of thumbnails per kind of problem."""


@dataclass(frozen=True)
class CheckOptions:
    """What is checked and how. With `probe` the labels are checked too, on the features of a pretrained network."""

    data: Path
    probe: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    data_options: DataOptions = field(default_factory=DataOptions)
    unpacked: Path = UNPACKED
    architecture: str = "mobilenet_v2"
    weights: Path | None = None
    page: Path | None = None
    csv: Path | None = None
    workers: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


def check(options: CheckOptions, console: Console) -> Scan:
    """Print the findings, and write them to the files that the options name.

    Raises BadData and, with the probe, the errors of loading weights.
    """
    source = open_source(options.data, options.data_options, unpacked=options.unpacked)
    data_layout = layout(source, options.data_options)
    names = class_names(data_layout, options.renamed)
    for message in layout_messages(data_layout, names):
        print_line(console, message)
    scan = scan_files(source, data_layout, workers=options.workers, console=console)
    print_classes(console, scan, data_layout.folders, names)
    if options.probe and scan.photos:
        scan = replace(
            scan, findings=(*scan.findings, *label_findings(options, source, data_layout, names, scan, console))
        )
    if scan.findings:
        print_findings(console, scan.findings)
    if options.csv is not None:
        write_findings(options.csv, scan.findings)
    if options.page is not None:
        write_atomically(options.page, html_report(source, data_layout, names, scan).encode())
    print_line(console, summary(scan))
    return scan


def label_findings(
    options: CheckOptions, source: Source, data_layout: Layout, names: Sequence[str], scan: Scan, console: Console
) -> list[Finding]:
    """Findings for the labels that may be wrong, the least likely label first."""
    pretrained = load_pretrained(options.architecture, options.weights, None)
    spec = replace(pretrained.spec, classes=tuple(names), temperature=1.0)
    classifier = Classifier(pretrained.network(spec), spec, device=options.device)
    data = LabelledPhotos(source, scan.photos, {folder: index for index, folder in enumerate(data_layout.folders)})
    batches = serving_batches(data, spec, batch_size=64, workers=options.workers)
    tracked = track(console, batches, len(batches), what="computing features")
    features, labels = gather(partial(architectures.features, classifier.network), tracked, options.device)
    return [
        Finding(
            scan.photos[error.index].name,
            FileProblem.LABEL,
            f"the label is {names[int(labels[error.index])]} (probability {error.own:.1%}), but it looks like "
            f"{names[error.other]} ({error.probability:.1%})",
        )
        for error in find_label_errors(features, labels, len(names))
    ]


def html_report(source: Source, data_layout: Layout, names: Sequence[str], scan: Scan) -> str:
    """The report as one HTML page, with thumbnails of the files that can be decoded."""
    counts = scan.counts
    largest = max(counts.values(), default=0)
    rows = [
        (name, folder, f"{counts[folder]:,}", f"{counts[folder] / max(1, largest):.0%}")
        for name, folder in zip(names, data_layout.folders, strict=True)
    ]
    body = [
        f"<p>{summary(scan)}</p>",
        table("Classes", ("class", "folder", "usable photos", "share of the largest class"), rows),
    ]
    for problem, group in groupby(scan.findings, key=lambda finding: finding.problem):
        findings = list(group)
        items = [item for finding in findings[:MAX_THUMBNAILS] if (item := _gallery_item(source, finding))]
        title = f"{problem.value} ({len(findings):,})"
        body.append(gallery(title, items) if items else table(title, ("file", "detail"), _rows(findings)))
        if items and len(findings) > len(items):
            body.append(table(f"all {title}", ("file", "detail"), _rows(findings)))
    return document(f"{source.path.name}: {len(scan.photos):,} photos", body)


def _rows(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.name, finding.detail) for finding in findings]


def _gallery_item(source: Source, finding: Finding) -> GalleryItem | None:
    try:
        pixels = read_picture(source, finding.name).pixels
    except (BadData, *UNDECODABLE):
        return None
    return GalleryItem(thumbnail(pixels), finding.name, finding.detail)

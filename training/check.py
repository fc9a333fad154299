"""What is wrong with a data set: a look at every file, and with a probe at every label. Changes nothing."""

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
from training.label_errors import doubts
from training.metrics import gather
from training.pretrained import load_pretrained
from training.report.page import Shown, document, gallery, table, thumbnail
from training.tables import write_findings

SHOWN = 48
"""Thumbnails per kind of problem."""


@dataclass(frozen=True)
class CheckOptions:
    """What is asked for: with `probe` the labels are looked at too, on the features of a network."""

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


def check(inspection: CheckOptions, console: Console) -> Scan:
    """Tell what was found, and write it as asked; raises BadData, and of the probe what loading weights raises."""
    source = open_source(inspection.data, inspection.data_options, unpacked=inspection.unpacked)
    found = layout(source, inspection.data_options)
    names = class_names(found, inspection.renamed)
    for line in layout_messages(found, names):
        print_line(console, line)
    scan = scan_files(source, found, workers=inspection.workers, console=console)
    print_classes(console, scan, found.folders, names)
    if inspection.probe and scan.photos:
        scan = replace(
            scan, findings=(*scan.findings, *label_findings(inspection, source, found, names, scan, console))
        )
    if scan.findings:
        print_findings(console, scan.findings)
    if inspection.csv is not None:
        write_findings(inspection.csv, scan.findings)
    if inspection.page is not None:
        write_atomically(inspection.page, page(source, found, names, scan).encode())
    print_line(console, summary(scan))
    return scan


def label_findings(
    inspection: CheckOptions, source: Source, found: Layout, names: Sequence[str], scan: Scan, console: Console
) -> list[Finding]:
    """The labels in doubt, the least likely first."""
    pretrained = load_pretrained(inspection.architecture, inspection.weights, None)
    spec = replace(pretrained.spec, classes=tuple(names), temperature=1.0)
    network = architectures.build(spec.architecture, len(names), channels=spec.channels)
    architectures.load_backbone(network, pretrained.weights)
    classifier = Classifier(network, spec, device=inspection.device)
    data = LabelledPhotos(source, scan.photos, {folder: index for index, folder in enumerate(found.folders)})
    batches = serving_batches(data, spec, batch_size=64, workers=inspection.workers)
    seen = track(console, batches, len(batches), what="features")
    features, labels = gather(partial(architectures.features, classifier.network), seen, inspection.device)
    return [
        Finding(
            scan.photos[doubt.index].name,
            FileProblem.LABEL,
            f"labelled {names[int(labels[doubt.index])]} ({doubt.own:.1%}), looks like {names[doubt.other]} "
            f"({doubt.probability:.1%})",
        )
        for doubt in doubts(features, labels, len(names))
    ]


def page(source: Source, found: Layout, names: Sequence[str], scan: Scan) -> str:
    """The report as one HTML file, with thumbnails of what can be decoded."""
    counts = scan.counts
    most = max(counts.values(), default=0)
    rows = [
        (name, folder, f"{counts[folder]:,}", f"{counts[folder] / max(1, most):.0%}")
        for name, folder in zip(names, found.folders, strict=True)
    ]
    body = [f"<p>{summary(scan)}</p>", table("Classes", ("class", "folder", "usable photos", "of the largest"), rows)]
    for problem, group in groupby(scan.findings, key=lambda finding: finding.problem):
        findings = list(group)
        shown = [item for finding in findings[:SHOWN] if (item := _shown(source, finding))]
        title = f"{problem.value} ({len(findings):,})"
        body.append(gallery(title, shown) if shown else table(title, ("file", "detail"), _rows(findings)))
        if shown and len(findings) > len(shown):
            body.append(table(f"all {title}", ("file", "detail"), _rows(findings)))
    return document(f"{source.path.name}: {len(scan.photos):,} photos", body)


def _rows(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.name, finding.detail) for finding in findings]


def _shown(source: Source, finding: Finding) -> Shown | None:
    try:
        pixels = read_picture(source, finding.name).pixels
    except (BadData, *UNDECODABLE):
        return None
    return Shown(thumbnail(pixels), finding.name, finding.detail)

"""`autocal analyze-dataset`: texture, edges, colour and health of folders of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autocal_cli.commands.options import (
    BatchesOption,
    DeviceOption,
    JsonOption,
    NoCacheOption,
    QuietOption,
    SeedOption,
    exit_with,
    is_first_rank,
    refuse_together,
)
from autocal_cli.errors import AutocalError


def analyze_dataset(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Folders of images, or images.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="The training's config: its images where no PATH is given, crop and batch."
        ),
    ] = None,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
    seed: SeedOption = 0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="Stop when every mean is known to +- this much.")
    ] = 0.02,
    images: Annotated[
        int | None, typer.Option("--images", metavar="N", min=1, help="Read at most so many images.")
    ] = None,
    read_all: Annotated[bool, typer.Option("--all", help="Read every image.")] = False,
    batches: BatchesOption = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", metavar="N", min=1, help="Images an optimiser step, for --batches.")
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            "--crop", metavar="N", min=1, help="The training's crop in pixels of these images, as lq_size x scale."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Decoding threads. [default: by the machine]")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with histograms, thumbnails and health.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a table with one row an image.")
    ] = None,
    max_pixels: Annotated[
        int,
        typer.Option("--max-pixels", metavar="N", min=1, help="Leave out images of more pixels than this, by header."),
    ] = 300_000_000,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a FILE that autocal did not write.")] = False,
) -> None:
    """Measure texture, edges and colour of a folder of images, as percentiles among ordinary photographs.

    In the same pass their health: sizes, grey, flat and blocky images, duplicates; near duplicates need
    `pip install 'autocal-cli[health]'`. The folder is never written to. Several processes share the work under
    `torchrun --nproc-per-node N -m autocal_cli analyze-dataset ...`, to the same numbers.

    Native sharpness is the share of edge pixels in crops of the training's size (--crop, or 128) before any scaling.
    """
    from autocal_cli.report.calibration import findings_view
    from autocal_cli.report.console import scan_progress, show, shows_blocks, write
    from autocal_cli.report.dataset import dataset_csv, dataset_view
    from autocal_cli.report.dataset_html import dataset_page
    from autocal_cli.report.json import dataset_json, dump
    from autocal_cli.workflow.dataset import DatasetOptions, known_training, survey
    from autocal_cli.workflow.output import report_destinations, write_report

    if not paths and config is None:
        raise AutocalError("No images are named.", fix="Give PATH, or the training's --config FILE.")
    refuse_together(("--all", read_all), ("--images", images is not None), ("--batches", batches is not None))
    training = known_training(config, crop, batch_size)
    page, table = report_destinations(html, csv, force)
    with scan_progress(quiet or not is_first_rank()) as advance:
        limit = None if read_all else tolerance
        options = DatasetOptions(
            tuple(paths or ()),
            device=device,
            seed=seed,
            tolerance=limit,
            images=images,
            batches=batches,
            workers=workers,
            max_pixels=max_pixels,
            use_cache=not no_cache,
            on_progress=advance,
        )
        report, findings = survey(training, options)
    if not is_first_rank():
        return

    if page:
        write_report(page, dataset_page(report), force)
    if table:
        write_report(table, dataset_csv(report), force)
    if as_json:
        write(dump(dataset_json(report, findings)).encode())
    else:
        show(*dataset_view(report, shows_blocks()))
    if not quiet:
        show(*findings_view(findings), stderr=True)
    exit_with(findings)

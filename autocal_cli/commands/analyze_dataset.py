"""`autocal analyze-dataset`: texture, edges, colour and health of folders of images."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

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


def _option(name: str, told: str, metavar: str = "FILE") -> Any:
    return typer.Option(name, metavar=metavar, help=told)


def _number(name: str, told: str) -> Any:
    return typer.Option(name, metavar="N", min=1, help=told)


def analyze_dataset(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Folders of images, or images.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        _option("--config", "The training's config: its images where no PATH is given, crop and batch."),
    ] = None,
    lq: Annotated[
        list[Path] | None, _option("--lq", "The LQ images of PATH, to judge the pairs. One for each PATH.", "DIR")
    ] = None,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
    seed: SeedOption = 0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="Stop when every mean is known to +- this much.")
    ] = 0.02,
    images: Annotated[int | None, _number("--images", "Read at most so many images.")] = None,
    read_all: Annotated[bool, typer.Option("--all", help="Read every image.")] = False,
    batches: BatchesOption = None,
    batch_size: Annotated[int | None, _number("--batch-size", "Images an optimiser step, for --batches.")] = None,
    crop: Annotated[
        int | None, _number("--crop", "The training's crop in pixels of these images, as lq_size x scale.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Decoding threads, or processes. [default: by the machine]")
    ] = None,
    html: Annotated[Path | None, _option("--html", "Write a page with histograms, thumbnails and health.")] = None,
    csv: Annotated[Path | None, _option("--csv", "Write a table with one row an image.")] = None,
    drop: Annotated[Path | None, _option("--drop", "Write the paths of the images to drop.")] = None,
    keep: Annotated[Path | None, _option("--keep", "Write the paths of all others, those to look at too.")] = None,
    meta_info: Annotated[
        Path | None, _option("--meta-info", "Write the same as trainers read them: names in the folder.")
    ] = None,
    show_plan: Annotated[
        bool, typer.Option("--plan", help="Show what each reason and each bound would drop, and write no list.")
    ] = False,
    like: Annotated[
        str | None, _option("--like", "Judge by the numbers of lucid or, with --model, of bhi.", "NAME")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        _option(
            "--threshold",
            "Another bound for a reason, as blurred=0.15, or one of its measures, as jpeg_quality=70; or its severity: "
            "grey=drop, alpha=off. Repeatable.",
            "REASON=NUMBER",
        ),
    ] = None,
    choose: Annotated[
        int | None, _number("--choose", "Keep at most N images, as many of each kind as there is room for.")
    ] = None,
    model: Annotated[
        Path | None,
        _option(
            "--model",
            "Score every image by this network too, TorchScript or .onnx. It is run in this process. It gets "
            "(1, 3, H, W), RGB in 0..1, and returns a number or a map.",
        ),
    ] = None,
    gentle: Annotated[
        bool,
        typer.Option("--gentle", help="Read one file at a time, with pauses: for disks that must not be hammered."),
    ] = False,
    max_pixels: Annotated[
        int, _number("--max-pixels", "Leave out images of more pixels than this, by header.")
    ] = 300_000_000,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell every name of every reason, not the first few.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a FILE that autocal did not write; write among the images.")
    ] = False,
) -> None:
    """Measure texture, edges and colour of a folder of images, as percentiles among ordinary photographs.

    In the same pass each image is judged: keep, look or drop, and why. --drop, --keep, --meta-info, --choose and --plan
    judge every image; the folder is never written to. Several processes share the work under
    `torchrun --nproc-per-node N -m autocal_cli analyze-dataset ...`, to the same numbers.

    Native sharpness is the share of edge pixels in crops of the training's size (--crop, or 128) before any scaling.
    """
    from rich.text import Text

    from autocal_cli.config.files import open_config
    from autocal_cli.dataset.plan import choices, plan
    from autocal_cli.report.calibration import findings_view
    from autocal_cli.report.console import one_line, progress, show, shows_blocks, write
    from autocal_cli.report.dataset import dataset_csv, dataset_view, plan_view
    from autocal_cli.report.json import dataset_json, dumped
    from autocal_cli.workflow.dataset import CurationOptions, DatasetOptions, cache_folder, survey
    from autocal_cli.workflow.lists import lists_of
    from autocal_cli.workflow.named_files import named_folders
    from autocal_cli.workflow.output import (
        list_destinations,
        refuse_inside,
        report_destinations,
        write_list,
        write_report,
    )

    if not paths and config is None:
        raise AutocalError("No images are named.", fix="Give PATH, or the training's --config FILE.")
    for name, given in (("--lq", bool(lq)), ("--model", model is not None)):
        refuse_together((name, given), ("--batches", batches is not None))
    refuse_together(("--all", read_all), ("--images", images is not None), ("--batches", batches is not None))
    lists = [out.expanduser() if out else None for out in (drop, keep, meta_info)]
    refuse_together(("--plan", show_plan), ("--drop, --keep or --meta-info", any(lists)))
    judges_all = show_plan or any(lists) or choose is not None
    for name, given in (("--images", images is not None), ("--batches", batches is not None)):
        refuse_together(("a list, --plan or --choose", judges_all), (name, given))
    training = open_config(config).training if config else None
    cache = cache_folder(DatasetOptions(use_cache=not no_cache))
    page, table = report_destinations(html, csv, force)
    list_destinations(lists, force, cache)
    images_of = [*(paths or ()), *(lq or ()), *(filter(None, named_folders(training).values()) if training else ())]
    refuse_inside([page, table, *lists], images_of, force)
    with progress(quiet or not is_first_rank()) as (advance, _):
        options = DatasetOptions(
            tuple(paths or ()),
            device=device,
            seed=seed,
            tolerance=None if read_all or judges_all else tolerance,
            images=images,
            batches=batches,
            crop=crop,
            batch_size=batch_size,
            lq=tuple(lq or ()),
            model=model,
            workers=workers,
            max_pixels=max_pixels,
            use_cache=not no_cache,
            gentle=gentle,
            on_progress=advance,
        )
        judging = CurationOptions(like, tuple(threshold or ()), choose, pictures=html is not None)
        report, findings = survey(training, options, judging)
    if not is_first_rank():
        return

    names, about_lists = lists_of(report, training.trainer if training else "", *lists)
    findings = (*findings, *about_lists)
    if as_json:
        write(part.encode() for part in dumped(dataset_json(report, findings)))
    elif show_plan:
        show(*plan_view(report, plan(report.curation, report.rows), choices(report.curation, report.rows)))
    else:
        for part in dataset_view(report, shows_blocks(), verbose):
            show(part)
    if not quiet:
        show(*findings_view(findings), stderr=True)

    def wrote(out: Path, what: str) -> None:
        if not quiet:
            show(Text(one_line(f"wrote {out}: {what}")), stderr=True)

    for out, several in names.items():  # after what was found is shown, for a disk may be full
        count = write_list(out, several, cache)
        wrote(out, f"{count:,} image{'' if count == 1 else 's'}")
    if table:
        write_report(table, dataset_csv(report), force)
        wrote(table, f"{len(report.rows) + len(report.fingerprint.failures):,} rows")
    if page:
        from autocal_cli.report.dataset_html import dataset_page

        today = datetime.now().strftime("%Y-%m-%d %H:%M")
        write_report(page, [dataset_page(report, plan(report.curation, report.rows), findings, today)], force)
        wrote(page, "a page for the browser")
    exit_with(findings)

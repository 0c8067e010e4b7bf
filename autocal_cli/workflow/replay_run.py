"""`autocal replay` as one function: a run's logs and a resolved config in, what the scheduler would have done out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from autocal_cli.calibration.calibrate import TOTAL_ITERATIONS
from autocal_cli.calibration.overrides import read_overrides
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.resolved import has_record
from autocal_cli.config.document import parse_document
from autocal_cli.config.layout import read_block, read_training_config
from autocal_cli.config.record import BLOCK_KEY, SchedulingBlock, TrainingConfig, Value
from autocal_cli.config.storage import read_bytes
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.replay.labels import expected_labels, match_losses, unmatched_labels
from autocal_cli.replay.record import TOTAL_LABEL, LoggedLoss, ReplayedRun, RunLog
from autocal_cli.replay.run import OnProgress, replay
from autocal_cli.runtime.settings import SchedulerSettings
from autocal_cli.workflow.holder import find_holder
from autocal_cli.workflow.run_logs import read_logs


def replay_run(logs: Path, config_path: Path, on_progress: OnProgress | None = None) -> ReplayedRun:
    """Runs the scheduler of a config over the logs of a past run. Nothing is written. Raises AutocalError."""
    path = config_path.expanduser()
    document = parse_document(read_bytes(path), str(path))
    holder = find_holder(path, document, recognise_trainer(document))
    config = replace(read_training_config(document), block=read_block(holder.document, holder.layout))
    block = _resolved_block(config)
    overrides = read_overrides(block, {}, load_presets())  # a wrong value shows with its place
    total_iter = config.total_iter or _stated_total(block)
    settings = SchedulerSettings.from_block({**block.values, "enabled": True}, total_iter)
    log, log_findings = read_logs(logs)
    losses = match_losses(config.losses, log.labels)
    if not losses:
        raise _no_match(config, log)
    run = replay(log, losses, settings, total_iter, on_progress)
    findings = (*overrides.findings, *_about_block(block), *log_findings, *_about_log(log))
    return replace(run, findings=(*findings, *_about_losses(config, losses, log)))


def _resolved_block(config: TrainingConfig) -> SchedulingBlock:
    block = config.block
    if block is None:
        message = f"There is no `{BLOCK_KEY}` block, so there is no schedule to replay."
        fix = f"autocal calibrate {config.path} -o resolved.yml writes one."
        raise AutocalError(message, place=config.place, fix=fix)
    if block.values.get("auto_calibrate") is True and not has_record(block):
        fix = f"autocal calibrate {config.path} -o resolved.yml, and replay that."
        raise AutocalError("The block is not resolved yet.", place=block.place, fix=fix)
    return block


def _stated_total(block: SchedulingBlock) -> int | None:
    """total_iterations of the block's training_config, where the config itself does not say."""
    value: Value = dict(block.values)
    for key in TOTAL_ITERATIONS:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _no_match(config: TrainingConfig, log: RunLog) -> AutocalError:
    logged = ", ".join(label for label in log.labels if label.startswith("l_") and label != TOTAL_LABEL)
    wanted = ", ".join(label for term in config.losses for label in expected_labels(term)[:1])
    message = f"No loss of the config is in the logs. They hold {logged or 'no loss'}; expected {wanted or 'none'}."
    return AutocalError(message, place=config.place, fix="Name the config with which this run was trained.")


def _about_block(block: SchedulingBlock) -> Iterator[Finding]:
    if block.values.get("enabled") is False:
        message = "The block says `enabled: false`; it is replayed as if it were on."
        yield Finding("block-disabled", "info", message, None, block.place_of(("enabled",)))


def _about_log(log: RunLog) -> Iterator[Finding]:
    for name in log.truncated:
        yield Finding(
            "log-truncated",
            "info",
            "The file is cut short or damaged; what comes from there on is left out.",
            None,
            Place(name),
        )
    if log.superseded:
        message = f"{log.superseded:,} points are left out: the run was taken up again from before them."
        yield Finding("points-superseded", "info", message)
    if log.points[0].iteration > 2 * log.interval:
        message = f"The log begins at iteration {log.points[0].iteration:,}; the baseline is taken from there."
        yield Finding("log-begins-late", "warning", message, "Add the earlier logs of the run, if there are any.")


def _about_losses(config: TrainingConfig, losses: Sequence[LoggedLoss], log: RunLog) -> Iterator[Finding]:
    found = {loss.logged for loss in losses} | {loss.label for loss in losses}
    for term in config.losses:
        labels = expected_labels(term)
        if labels and found.isdisjoint(labels):
            message = f"{term.type} is not in the logs (looked for {', '.join(labels)}); it is left out."
            yield Finding("loss-not-logged", "warning", message, None, term.place)
    if unknown := unmatched_labels(losses, log.labels):
        message = f"No loss of the config accounts for {', '.join(unknown)} in the logs."
        yield Finding("label-unknown", "warning", message, "Is this the config with which the run was trained?")

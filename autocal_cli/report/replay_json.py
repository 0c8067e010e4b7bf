"""A replayed run as plain data for `--json`."""

from __future__ import annotations

import math

from autocal_cli.config.record import Value
from autocal_cli.replay.record import ReplayedLoss, ReplayedRun
from autocal_cli.report.as_json import FORMAT_VERSION, finding_json


def replay_json(run: ReplayedRun) -> dict[str, Value]:
    """Everything: what was read, every loss with its course, phases, events, limits. What is not finite is null."""
    return {
        "format_version": FORMAT_VERSION,
        "log": _log(run),
        "total_iter": run.total_iter,
        "replayed_with": {
            "momentum": {"configured": run.momentum[0], "used": run.momentum[1]},
            "baseline_iterations": {"configured": run.baseline_iterations[0], "used": run.baseline_iterations[1]},
        },
        "losses": [_loss(run, loss) for loss in run.losses],
        "phases": [{"name": phase.name, "first": phase.first, "last": phase.last} for phase in run.phases],
        "events": [
            {
                "iteration": event.iteration,
                "loss": event.loss,
                "cause": event.cause,
                "before": event.before,
                "after": event.after,
            }
            for event in run.events
        ],
        "not_known": list(run.limits),
        "findings": [finding_json(finding) for finding in run.findings],
    }


def _log(run: ReplayedRun) -> dict[str, Value]:
    log = run.log
    return {
        "source": log.source,
        "files": list(log.files),
        "points": len(log.points),
        "first_iteration": run.first,
        "last_iteration": run.last,
        "interval": log.interval,
        "averaged": log.averaged,
        "superseded": log.superseded,
        "truncated": list(log.truncated),
    }


def _loss(run: ReplayedRun, loss: ReplayedLoss) -> dict[str, Value]:
    return {
        "name": loss.name,
        "logged_as": loss.logged,
        "type": loss.type,
        "kind": loss.kind,
        "weight": loss.weight,
        "drifts": loss.drifts,
        "value_signal": loss.signals,
        "multiplier": {"final": loss.final, "lowest": loss.lowest, "highest": loss.highest},
        "events": len(run.events_of(loss)),
        "iterations": list(loss.iterations),
        "raw": [value if math.isfinite(value) else None for value in loss.raw],
        "multipliers": list(loss.multipliers),
    }

"""Static weights: what a training does that nobody schedules."""

from __future__ import annotations

from efficacy_methods.task import Objective, Task, weighted


def static(task: Task) -> Objective:
    """sum_i w_i L_i"""
    return lambda raw, *_: weighted(raw, task.weights)

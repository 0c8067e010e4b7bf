"""The runtime is imported into somebody's trainer: nothing of the command line may be needed."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
for name in ("typer", "rich", "yaml", "PIL", "autocal_cli.cli", "autocal_cli.workflow"):
    sys.modules[name] = None
import torch
import autocal_cli.runtime.trainer
from autocal_cli.runtime import DynamicLossScheduler, attach, create_dynamic_loss_scheduler
scheduler = DynamicLossScheduler.from_config({"auto_calibrate": False}, {"l1": 1.0, "gan": 0.1}, 1000)
print(float(scheduler.total({"l1": torch.tensor(0.5), "gan": torch.tensor(0.7)}, current_iter=1)))
"""


def test_runs_without_what_the_command_line_needs() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, encoding="utf-8", timeout=100)
    assert ran.returncode == 0, ran.stderr
    assert abs(float(ran.stdout) - 0.57) < 1e-6

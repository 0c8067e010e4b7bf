"""How long `autocal diagnose` takes over a long log, in how much memory, and how large its page is.

    python benchmarks/diagnose_speed.py [--lines 500000] [--shape redux|basicsr]

The log is written in the exact shape of the trainer's lines, with seven losses and their validation blocks. Each
reading is a process of its own, so that the peak is that of the command alone.
"""

from __future__ import annotations

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEADS = {
    "redux": "[epoch:{epoch:4,d}, iter:{at:8,d}, lr:(1.000e-04)] [performance: 4.729 it/s] [eta: 1 day, 0:10:00] "
    "[peak VRAM: 3.11 GB] ",
    "basicsr": "[speed..][epoch:{epoch:3d}, iter:{at:8,d}, lr:(1.000e-04,)] [eta: 1 day, 0:10:00, "
    "time (data): 0.211 (0.003)] ",
}
LABELS = ("l_g_mssim", "l_g_perceptual", "l_g_hsluv", "l_g_gan", "l_g_total", "grad_norm_g", "scale_g", "l_d_real",
          "out_d_real", "l_d_fake", "out_d_fake")  # fmt: skip


def write_log(path: Path, lines: int, shape: str, every: int = 2) -> None:
    """A log of so many lines, one every `every` iterations, and a validation block at each 5,000th iteration."""
    draw = random.Random(0)
    pool = [[math.exp(draw.gauss(-3.0, 0.1)) for _ in LABELS] for _ in range(997)]
    total = lines * every
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.write(f"2026-11-27 00:00:00,000 INFO: x\n  name: speed\n  total_iter: {total}\n  val_freq: 5000\n")
        out.write("2026-11-27 00:00:00,000 INFO: Start training from epoch: 0, iter: 0.\n")
        for index in range(lines):
            at = (index + 1) * every
            values = pool[index % len(pool)]
            numbers = "".join(f"{label}: {value:.4e} " for label, value in zip(LABELS, values, strict=True))
            out.write(f"2026-11-27 00:00:00,000 INFO: {HEADS[shape].format(epoch=at // 1000, at=at)}{numbers}\n")
            if at % 5_000 == 0:
                psnr = 28.0 + draw.gauss(0.0, 0.05)
                out.write(f"2026-11-27 00:00:00,000 INFO: Validation val\n\t # psnr : {psnr:7.4f}\n\n")
        out.write("2026-11-27 00:00:00,000 INFO: End of training. Time consumed: 1 day\n")


CHILD = """
import sys, time, resource
from pathlib import Path
from autocal_cli.workflow.diagnose import diagnose_run
begun = time.perf_counter()
found = diagnose_run(Path(sys.argv[1]))
read, busy = time.perf_counter() - begun, time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
from autocal_cli.report.diagnose import diagnosis_page
page = diagnosis_page(found)
print(f"{found.log.rows:,} points: {read:.2f} s ({busy:.2f} s of them on a core), peak {peak:.0f} MB; "
      f"page {len(page.encode()) / 1e6:.2f} MB in {time.perf_counter() - begun - read:.2f} s more")
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--shape", choices=HEADS, default="redux")
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train_speed_20261127_000000.log"
        write_log(path, asked.lines, asked.shape)
        print(f"{asked.shape}: {asked.lines:,} lines, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        for _ in range(asked.times):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", CHILD, str(path)], check=True)
            print(f"  the whole process {time.perf_counter() - begun:.2f} s", flush=True)


if __name__ == "__main__":
    main()

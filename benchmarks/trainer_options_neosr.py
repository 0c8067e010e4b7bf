"""What neosr reads from a config, by hand; `trainer_options.py` holds it against the code."""

from __future__ import annotations

from trainer_options_basicsr import DEGRADATIONS, KERNELS, SET_BY_THE_TRAINER
from trainer_options_schema import STEPS, Schema, optimizers

_LOSSES = "pixel mssim fdl ncc kl consistency msswd perceptual dists gan ldl ff"
NEOSR: Schema = {
    "repository": "neosr-project/neosr",
    "unknown": "ignored",
    "case": True,
    "arguments": ["--input", "none", "--scale", "4"],
    "code": ["neosr", "train.py"],
    "sections": {
        "root": """
name!: str
model_type!: @registry/models
scale!: int >=1
num_gpu: "auto" | int ="auto"
manual_seed: int | null >=0
use_amp: exact =false
bfloat16: exact =false
fast_matmul: bool =false
compile: exact =false
find_unused_parameters: bool =false
print_network: exact =false
datasets!: @datasets
degradations: @degradations
network_g!: @registry/networks
network_d: @registry/networks
path!: @path
train!: @train
val: @val
logger!: @logger
dist_params: map
if model_type otf: degradations
""",
        "datasets": """
train!: @train_set
^val(_.*)?$: @val_set
""",
        "train_set": """
name: str
type!: @registry/datasets
dataroot_gt: str
dataroot_lq: str
meta_info: str
meta_info_file: str
patch_size!: int >=1
batch_size!: int >=1
accumulate: int >=1 =1
augmentation: [str]
aug_prob: [float]
use_hflip: bool =true
use_rot: bool =true
color: "y"
mean: [float]
std: [float]
dataset_enlarge_ratio: int >=1 =1
num_worker_per_gpu: "auto" | int =4
pin_memory: bool =true
persistent_workers: bool =false
io_backend: map
queue_size: int >=1 =180
"""
        + KERNELS
        + DEGRADATIONS
        + "if type paired: dataroot_gt dataroot_lq\nif type otf: dataroot_gt\n",
        "val_set": """
name: str
type!: @registry/datasets
dataroot_gt: str
dataroot_lq: str
meta_info: str
meta_info_file: str
color: "y"
mean: [float]
std: [float]
pin_memory: bool
persistent_workers: bool
save_img: bool =true
io_backend: map
if type paired: dataroot_gt dataroot_lq
if type single: dataroot_lq
""",
        # Of another model's config nobody reads it.
        "degradations": (DEGRADATIONS + KERNELS).replace(":", "!:") + "queue_size: int >=1 =180\n",
        "path": """
pretrain_network_g: str
param_key_g: str
strict_load_g: bool =true
pretrain_network_d: str
param_key_d: str
strict_load_d: bool =true
resume_state: str
ignore_resume_networks: str | [str]
experiments_root: str
results_root: str
print_network: bool =false
""",
        "train": """
ema: float =-1
warmup_iter: int =-1
optim_g!: @registry/optimizers
optim_d: @registry/optimizers
scheduler: @registry/schedulers
grad_clip: bool =true
clamp: bool =true
sam: "FSAM" | "fsam"
sam_init: int =-1
eco: bool =false
eco_schedule: str ="sigmoid"
eco_iters: int =80000
eco_init: int =15000
match_lq_colors: bool =false
wavelet_guided: bool =false
wavelet_init: int =0
"""
        + "".join(f"{name}_opt: @registry/losses\n" for name in _LOSSES.split()),
        "val": """
val_freq!: int >=1
tile: int =-1
save_img: bool =true
save_lq: bool =true
suffix: str
pbar: bool =true
metrics: @metrics
""",
        "metrics": "^.*$: @registry/metrics\n",
        "logger": """
total_iter: int >=1 =1000000
print_freq: int >=1 =100
save_checkpoint_freq!: int >=1
use_tb_logger!: bool
save_tb_img: bool =false
wandb: @wandb
""",
        "wandb": "project: str\nresume_id: str\n",
    },
    "earlier": {
        "high_order_degradation": "2023-08-02",
        "prefetch_mode": "2023-08-03",
        "accum_iters": "2024-02-21",
        "kernel_range": "2024-05-17",
        "crop_pad_size": "2024-05-17",
        "jpeg_compress": "2024-05-17",
        "second_degrad_prob": "2024-05-17",
        "save_tb": "2024-06-22",
        "gt_size": "2024-07-05",
        "match_lq": "2024-07-05",
        "filename_tmpl": "2024-07-07",
    },
    "set_by_the_trainer": {*SET_BY_THE_TRAINER, "deterministic", "schedule_free"},
    "passed_on": {"dist_params", "color"},
    "imports": ["neosr.archs.*", "neosr.data", "neosr.models", "neosr.losses", "neosr.metrics"],
    "registries": {
        "models": ["neosr.utils.registry:MODEL_REGISTRY"],
        "datasets": ["neosr.utils.registry:DATASET_REGISTRY"],
        "losses": ["neosr.utils.registry:LOSS_REGISTRY"],
        "metrics": ["neosr.utils.registry:METRIC_REGISTRY"],
        "networks": ["neosr.utils.registry:ARCH_REGISTRY"],
        "optimizers": [
            "torch.optim:=Adam,adam=Adam,AdamW,adamw=AdamW,NAdam,nadam=NAdam",
            "neosr.optimizers:=Adan=adan,adan,AdamW_Win=adamw_win,adamw_win,AdamW_SF=adamw_sf,adamw_sf,"
            "Adan_SF=adan_sf,adan_sf,SOAP_SF=soap_sf,soap_sf",
        ],
        "schedulers": [
            "torch.optim.lr_scheduler:=MultiStepLR,multisteplr=MultiStepLR,CosineAnnealing=CosineAnnealingLR,"
            "cosineannealing=CosineAnnealingLR"
        ],
    },
    "curated": {
        "optimizers": optimizers(
            "Adam adam AdamW adamw NAdam nadam Adan adan AdamW_Win adamw_win AdamW_SF adamw_sf Adan_SF "
            "adan_sf SOAP_SF soap_sf",
            needed=True,
            three=("Adan", "adan", "Adan_SF", "adan_sf"),
        ),
        "schedulers": {"MultiStepLR": STEPS, "multisteplr": STEPS},
    },
}
for _name in ("AdamW_SF", "adamw_sf", "Adan_SF", "adan_sf", "soap_sf"):  # models/image.py ends without it
    NEOSR["curated"]["optimizers"][_name]["required"] = ["lr", "schedule_free"]

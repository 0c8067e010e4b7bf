"""What each trainer reads from a config, by hand; `trainer_options.py` holds it against the code.

One line a key: `key: TYPES`, where TYPES is words divided by `|`: int, float, bool, exact (a bool that the code
compares with true, so that text is false), str, null, list, map, kernel, `"choice"`, `[int]` for a list of them
(`[float 2]` with its length; bounds hold for its items), `@section`, `@registry/NAME` for a mapping with a `type` of
that registry. `!` after the key: the trainer ends without it. `=VALUE` at the end: the default. `<` and `>` bounds:
`>=0`, `>0`, `<=1`, `<1`. `earlier` are keys that the trainer's history has and its code has no more, with the day of
the commit that took them out (`git log -p` of its options).
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

Schema = dict[str, Any]
KINDS = {"int": "integer", "float": "number", "bool": "boolean", "str": "string", "null": "null", "map": "object"}
# data/degradations.py of all of them: any other name gives no kernel at all
KERNEL = {"enum": ["iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"]}
BOUNDS = {">=": "minimum", ">": "exclusiveMinimum", "<=": "maximum", "<": "exclusiveMaximum"}
LINE = re.compile(
    r"(?P<key>[\w.*$^()|\\+?]+)(?P<needed>!?): (?P<types>[^=<>]+?)"
    r"(?P<bounds>(?: [<>]=?[-\d.]+)*)(?: =(?P<default>.+))?$"
)


def section(text: str) -> Schema:
    """The lines of a section as a JSON Schema of one mapping."""
    properties: Schema = {}
    patterns: Schema = {}
    required = []
    rules = []
    for line in filter(None, (one.split("#")[0].rstrip() for one in text.strip().splitlines())):
        if line.startswith("if "):
            rules.append(_rule(line))
            continue
        found = LINE.match(line.strip())
        if found is None:
            raise ValueError(line)
        key = found["key"]
        made = _types(found["types"].strip())
        for sign, number in re.findall(r"([<>]=?)([-\d.]+)", found["bounds"] or ""):
            made.get("items", made)[BOUNDS[sign]] = json.loads(number)
        if found["default"] is not None:
            made["default"] = json.loads(found["default"])
        if key.startswith("^"):
            patterns[key] = made
        else:
            properties[key] = made
        if found["needed"]:
            required.append(key)
    schema: Schema = {"type": "object", "properties": properties}
    if patterns:
        schema["patternProperties"] = patterns
    schema["additionalProperties"] = False
    if required:
        schema["required"] = required
    if rules:
        schema["allOf"] = rules
    return schema


def _rule(line: str) -> Schema:
    """`if KEY A B and OTHER true: c d e`: where KEY is A or B, and OTHER, if it is there at all, is true, the trainer
    ends without c, d and e."""
    head, _, needed = line.removeprefix("if ").partition(":")
    first, *others = (clause.split() for clause in head.split(" and "))
    conditions = {key: {"enum": values} for key, *values in [first]}
    conditions |= {key: {"enum": [json.loads(value) for value in values]} for key, *values in others}
    return {"if": {"properties": conditions, "required": [first[0]]}, "then": {"required": needed.split()}}


def _types(text: str) -> Schema:
    kinds: list[str] = []
    made: Schema = {}
    choices: list[Any] = []
    for word in (one.strip() for one in text.split("|")):
        if word.startswith("@"):
            place = word[1:]
            registry, _, name = place.partition("/")
            if registry != "registry":
                made["$ref"] = f"#/$defs/{place}"
            elif name in ("models", "datasets"):
                made.update({"type": "string", "named": name})
            else:
                made["typed"] = name
        elif word.startswith('"'):
            choices.append(json.loads(word))
        elif word.startswith("["):
            inner = word.strip("[]").split()
            kinds.append("array")
            made["items"] = _types(inner[0]) if len(inner) > 0 and inner[0] else {}
            if len(inner) > 1:
                made["minItems"] = made["maxItems"] = int(inner[1])
        elif word == "list":
            kinds.append("array")
        elif word == "exact":
            kinds.append("boolean")
            made["exact"] = True
        elif word == "kernel":
            made.update(KERNEL)
        else:
            kinds.append(KINDS[word])
    if choices and kinds:
        made["anyOf"] = [{"enum": choices}, *({"type": kind} for kind in kinds)]
    elif choices:
        made["enum"] = choices
    elif "$ref" in made and kinds:
        made = {"anyOf": [{"$ref": made["$ref"]}, *({"type": kind} for kind in kinds)]}
    elif kinds:
        made["type"] = kinds[0] if len(kinds) == 1 else kinds
    return made


# --- BasicSR ----------------------------------------------------------------------------------------------------------

_IO = """
type!: "disk" | "lmdb" | "memcached"
^.*$: str | list | bool | int | null
"""
_DEGRADATION_ROOT = """
resize_prob: [float 3] >=0
resize_range: [float 2] >0
gaussian_noise_prob: float >=0 <=1
noise_range: [float 2] >=0
poisson_scale_range: [float 2] >=0
gray_noise_prob: float >=0 <=1
jpeg_range: [float 2] >=1 <=100
second_blur_prob: float >=0 <=1
resize_prob2: [float 3] >=0
resize_range2: [float 2] >0
gaussian_noise_prob2: float >=0 <=1
noise_range2: [float 2] >=0
poisson_scale_range2: [float 2] >=0
gray_noise_prob2: float >=0 <=1
jpeg_range2: [float 2] >=1 <=100
"""
_KERNELS = """
blur_kernel_size: int >=1
kernel_list: [kernel]
kernel_prob: [float]
sinc_prob: float >=0 <=1
blur_sigma: [float 2] >=0
betag_range: [float 2]
betap_range: [float 2]
blur_kernel_size2: int >=1
kernel_list2: [kernel]
kernel_prob2: [float]
sinc_prob2: float >=0 <=1
blur_sigma2: [float 2] >=0
betag_range2: [float 2]
betap_range2: [float 2]
final_sinc_prob: float >=0 <=1
"""
_SYNTHESIS = (
    "resize_prob resize_range gaussian_noise_prob noise_range poisson_scale_range gray_noise_prob jpeg_range "
    "second_blur_prob resize_prob2 resize_range2 gaussian_noise_prob2 noise_range2 poisson_scale_range2 "
    "gray_noise_prob2 jpeg_range2"
)
_KERNEL_KEYS = (
    "blur_kernel_size kernel_list kernel_prob sinc_prob blur_sigma betag_range betap_range blur_kernel_size2 "
    "kernel_list2 kernel_prob2 sinc_prob2 blur_sigma2 betag_range2 betap_range2 final_sinc_prob"
)
_BASICSR_ROOT = """
name!: str
model_type!: @registry/models
scale: int >=1
num_gpu!: "auto" | int
manual_seed: int | null >=0
find_unused_parameters: bool =false
datasets!: @datasets
network_g!: @registry/networks
network_d: @registry/networks
path!: @path
train!: @train
val: @val | null
logger!: @logger
dist_params: map
dist: bool
high_order_degradation: bool =true
gt_size: int >=1
queue_size: int >=1 =180
l1_gt_usm: bool
percep_gt_usm: bool
gan_gt_usm: bool
gt_usm: bool
^network_\\w+$: map
"""
_BASICSR_RULES = (
    "if model_type RealESRGANModel: l1_gt_usm percep_gt_usm gan_gt_usm network_d\n"
    "if model_type RealESRNetModel: gt_usm\n"
    f"if model_type RealESRGANModel RealESRNetModel and high_order_degradation true: scale gt_size {_SYNTHESIS}\n"
    "if model_type SRGANModel ESRGANModel VideoRecurrentGANModel HiFaceGANModel StyleGAN2Model: network_d\n"
)
_BASICSR = {
    "root": _BASICSR_ROOT + _DEGRADATION_ROOT + _BASICSR_RULES,
    "datasets": """
train: @train_set
^val(_.*)?$: @val_set
""",
    "train_set": """
name!: str
type!: @registry/datasets
dataroot_gt: str
dataroot_lq: str | null
dataroot_flow: str | null
io_backend!: @io_backend
meta_info: str | null
meta_info_file: str | null
filename_tmpl: str ="{}"
gt_size: int >=1
use_hflip: bool
use_rot: bool
color: "y" | null
mean: [float] | null
std: [float] | null
num_worker_per_gpu!: int >=0
batch_size_per_gpu!: int >=1
dataset_enlarge_ratio: int >=1 =1
prefetch_mode: "cpu" | "cuda" | null
num_prefetch_queue: int >=1 =1
pin_memory: bool =false
persistent_workers: bool =false
num_frame: int
interval_list: [int]
random_reverse: bool
flip_sequence: bool
val_partition: str | null
test_mode: bool
cache_data: bool
padding: str
use_duf_downsampling: bool
crop_size: int
"""
    + _KERNELS
    + "if type PairedImageDataset: dataroot_gt dataroot_lq gt_size use_hflip use_rot\n"
    + f"if type RealESRGANDataset: dataroot_gt meta_info use_hflip use_rot {_KERNEL_KEYS}\n"
    + "if type RealESRGANPairedDataset: dataroot_gt dataroot_lq gt_size use_hflip use_rot\n"
    + "if type REDSDataset REDSRecurrentDataset Vimeo90KDataset Vimeo90KRecurrentDataset: dataroot_gt dataroot_lq "
    + "meta_info_file num_frame gt_size use_hflip use_rot\n"
    + "if type FFHQDataset: dataroot_gt mean std use_hflip\n",
    "val_set": """
name!: str
type!: @registry/datasets
dataroot_gt: str | null
dataroot_lq: str | null
dataroot_flow: str | null
io_backend!: @io_backend
meta_info: str | null
meta_info_file: str | null
filename_tmpl: str ="{}"
color: "y" | null
mean: [float] | null
std: [float] | null
gt_size: int
use_hflip: bool
use_rot: bool
pin_memory: bool
persistent_workers: bool
prefetch_mode: "cpu" | "cuda" | null
num_prefetch_queue: int
num_frame: int
interval_list: [int]
random_reverse: bool
val_partition: str | null
test_mode: bool
cache_data: bool
padding: str
use_duf_downsampling: bool
crop_size: int
num_worker_per_gpu: int
batch_size_per_gpu: int
if type PairedImageDataset: dataroot_gt dataroot_lq
if type SingleImageDataset: dataroot_lq
""",
    "io_backend": _IO,
    "path": """
pretrain_network_g: str | null
param_key_g: str | null ="params"
strict_load_g: bool =true
pretrain_network_d: str | null
param_key_d: str | null ="params"
strict_load_d: bool =true
resume_state: str | null
ignore_resume_networks: str | [str] | null
experiments_root: str | null
results_root: str | null
^(pretrain_network|param_key|strict_load)_\\w+$: str | bool | null
""",
    "train": """
total_iter!: int | float >=1
warmup_iter: int =-1
ema_decay: float >=0 =0
optim_g!: @registry/optimizers
optim_d: @registry/optimizers
scheduler!: @registry/schedulers
pixel_opt: @registry/losses
perceptual_opt: @registry/losses
ldl_opt: @registry/losses
gan_opt: @registry/losses
feature_matching_opt: @registry/losses
net_d_iters: int >=1 =1
net_d_init_iters: int >=0 =0
tsa_iter: int | null
dcn_lr_mul: float =1
flow_lr_mul: float =1
fix_flow: int | null
lr_flow: float
r1_reg_weight: float
path_reg_weight: float
path_batch_shrink: int
net_g_reg_every: int
net_d_reg_every: int
mixing_prob: float
""",
    "val": """
val_freq!: int | float >=1
save_img!: bool
suffix: str | null
pbar: bool =false
metrics: @metrics | null
num_val_samples: int =16
flip_seq: bool =false
center_frame_only: bool =false
""",
    "metrics": "^.*$: @registry/metrics\n",
    "logger": """
print_freq!: int | float >=1
save_checkpoint_freq!: int | float >=1
use_tb_logger!: bool
wandb: @wandb | null
""",
    "wandb": """
project: str | null
resume_id: str | null
""",
}
# Keys that the published files of the family carry and that nothing reads.
_BASICSR_IGNORED = {
    "use_shuffle": "read by nothing since the data loader shuffles by itself",
    "gt_size": "validation takes whole images",
    "num_worker_per_gpu": "validation has none",
    "batch_size_per_gpu": "validation takes one image at a time",
}
_VGG = {"enum": ["vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"]}
_LAYERS_OF_VGG19 = [2, 2, 4, 4, 4]
_VGG_LAYERS = {  # archs/vgg_arch.py, NAMES; those of VGG19, with batch norm or without
    "type": "object",
    "additionalProperties": {"type": "number"},
    "propertyNames": {
        "enum": [
            *(
                f"{kind}{block}_{layer}"
                for block, count in enumerate(_LAYERS_OF_VGG19, 1)
                for layer in range(1, count + 1)
                for kind in ("conv", "bn", "relu")
            ),
            *(f"pool{block}" for block in range(1, 6)),
        ]
    },
}
_SWINIR = {"resi_connection": {"enum": ["1conv", "3conv"]}}  # else: no convolution at all, and an AttributeError
_SWINIR_UPSAMPLERS = ["pixelshuffle", "pixelshuffledirect", "nearest+conv", ""]  # else: as for denoising, without one
_CRITERIA = {"enum": ["l1", "l2", "fro"]}  # PerceptualLoss; anything else raises
_NOT_PASSED = {"img", "img2"}
_TORCH_OPTIMIZERS = "torch.optim:Adam,AdamW,Adamax,SGD,ASGD,RMSprop,Rprop"
_BETA = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
_OPTIMIZER_FACTS = {
    "lr": {"type": "number", "$replace": True},  # its bounds: check/schedules.py
    "betas": {"type": "array", "minItems": 2, "maxItems": 2, "items": _BETA},
    "weight_decay": {"type": "number", "minimum": 0},
    "eps": {"type": "number", "minimum": 0},
}


def _optimizers(names: str, needed: bool, three: tuple[str, ...] = ()) -> Schema:
    facts: Schema = {}
    for name in names.split():
        properties = {key: dict(value) for key, value in _OPTIMIZER_FACTS.items()}
        if name.lower() in ("sgd", "asgd", "rmsprop", "rprop"):
            properties.pop("betas")
        if name in three:
            properties["betas"] = {"type": "array", "minItems": 3, "maxItems": 3, "items": _BETA}
        facts[name] = {"properties": properties, **({"required": ["lr"]} if needed else {})}
    return facts


_RESTART = {
    "properties": {
        "restart_weights": {"type": "array"},
        "periods": {"type": "array"},
        "eta_min": {"type": "number", "$replace": True},
    }
}
_FALLING = {"properties": {"gamma": {"type": "number", "$replace": True, "exclusiveMinimum": 0, "maximum": 1}}}
_STEPS = {"properties": {"milestones": {"type": "array", "items": {"type": "number"}}, **_FALLING["properties"]}}

TRAINERS: dict[str, Schema] = {
    "BasicSR": {
        "repository": "XPixelGroup/BasicSR",
        "unknown": "ignored",
        "case": True,
        "code": ["basicsr"],
        "sections": _BASICSR,
        "ignored": _BASICSR_IGNORED,
        "earlier": {
            "ann_file": "2020-08-19",
            "niter": "2020-08-19",
            "pretrain_model_g": "2020-10-04",
            "pretrain_model_d": "2020-10-04",
            "strict_load": "2020-10-04",
            "use_flip": "2021-11-29",
        },
        "set_by_the_trainer": {
            "phase",
            "rank",
            "world_size",
            "is_train",
            "auto_resume",
            "root_path",
            "dist",
            "models",
            "training_states",
            "log",
            "visualization",
            "client_keys",
            "db_paths",
        },
        "passed_on": {"dist_params", "network_d", "num_style_feat", "window_size"},
        "imports": ["basicsr.archs", "basicsr.data", "basicsr.losses", "basicsr.metrics", "basicsr.models"],
        "registries": {
            "models": ["basicsr.utils.registry:MODEL_REGISTRY"],
            "datasets": ["basicsr.utils.registry:DATASET_REGISTRY"],
            "losses": ["basicsr.utils.registry:LOSS_REGISTRY"],
            "metrics": ["basicsr.utils.registry:METRIC_REGISTRY"],
            "networks": ["basicsr.utils.registry:ARCH_REGISTRY"],
            "optimizers": [_TORCH_OPTIMIZERS],
            "schedulers": [
                "basicsr.models.lr_scheduler:=MultiStepLR=MultiStepRestartLR,MultiStepRestartLR,CosineAnnealingRestartLR"
            ],
        },
        "curated": {
            "optimizers": _optimizers("Adam AdamW Adamax SGD ASGD RMSprop Rprop", needed=True),
            "schedulers": {"CosineAnnealingRestartLR": _RESTART, "MultiStepLR": _STEPS, "MultiStepRestartLR": _STEPS},
            "losses": {
                "PerceptualLoss": {
                    "properties": {"vgg_type": _VGG, "criterion": _CRITERIA, "layer_weights": _VGG_LAYERS}
                },
            },
            "networks": {
                "SwinIR": {"properties": {**_SWINIR, "upsampler": {"enum": _SWINIR_UPSAMPLERS}}},
                "SRVGGNetCompact": {"properties": {"act_type": {"enum": ["relu", "prelu", "leakyrelu"]}}},
                "VGGStyleDiscriminator": {"properties": {"input_size": {"enum": [128, 256]}}},
                "ECBSR": {"properties": {"act_type": {"enum": ["prelu", "relu", "rrelu", "softplus", "linear"]}}},
            },
        },
    },
}
TRAINERS["Real-ESRGAN"] = {
    **TRAINERS["BasicSR"],
    "repository": "xinntao/Real-ESRGAN",
    "code": ["realesrgan", "../XPixelGroup+BasicSR/basicsr"],
    "imports": [*TRAINERS["BasicSR"]["imports"], "realesrgan.archs", "realesrgan.data", "realesrgan.models"],
}

# --- neosr ------------------------------------------------------------------------------------------------------------

_NEOSR_LOSSES = [
    "pixel",
    "mssim",
    "fdl",
    "ncc",
    "kl",
    "consistency",
    "msswd",
    "perceptual",
    "dists",
    "gan",
    "ldl",
    "ff",
]
_NEOSR_SYNTHESIS = _SYNTHESIS + " " + _KERNEL_KEYS
TRAINERS["neosr"] = {
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
        + _KERNELS
        + _DEGRADATION_ROOT
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
        "degradations": (_DEGRADATION_ROOT + _KERNELS).replace(":", "!:") + "queue_size: int >=1 =180\n",
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
        + "".join(f"{name}_opt: @registry/losses\n" for name in _NEOSR_LOSSES),
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
    "set_by_the_trainer": {
        "phase",
        "rank",
        "world_size",
        "is_train",
        "auto_resume",
        "root_path",
        "dist",
        "models",
        "training_states",
        "log",
        "visualization",
        "client_keys",
        "db_paths",
        "deterministic",
        "schedule_free",
    },
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
        "optimizers": _optimizers(
            "Adam adam AdamW adamw NAdam nadam Adan adan AdamW_Win adamw_win AdamW_SF adamw_sf Adan_SF "
            "adan_sf SOAP_SF soap_sf",
            needed=True,
            three=("Adan", "adan", "Adan_SF", "adan_sf"),
        ),
        "schedulers": {"MultiStepLR": _STEPS, "multisteplr": _STEPS},
    },
}
for _name in ("AdamW_SF", "adamw_sf", "Adan_SF", "adan_sf", "soap_sf"):  # models/image.py ends without it
    TRAINERS["neosr"]["curated"]["optimizers"][_name]["required"] = ["lr", "schedule_free"]

# --- traiNNer-redux ---------------------------------------------------------------------------------------------------

_UNIT = {"minimum": 0, "maximum": 1}
_QUALITY = {"minimum": 1, "maximum": 100}  # of JPEG
_GAN_TYPES = ["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"]  # losses/gan_loss.py
_REDUX_OPTIMIZERS = "adam adamw nadam stableadamw soap adopt adan adamwschedulefree adanschedulefree"
TRAINERS["traiNNer-redux"] = {
    "repository": "the-database/traiNNer-redux",
    "unknown": "refused",
    "case": False,
    "earlier": {
        "mssim_l1_opt": "2024-09-23",
        "force_high_order_degradation_filename_masks": "2024-12-19",
        "force_dataroot_lq_filename_masks": "2024-12-19",
        "resume": "2025-02-02",
        "train_iter_per_epoch": "2025-02-21",
        "ema_switch_epoch": "2025-02-27",
        "warmup_iter_g": "2025-07-13",
        "warmup_iter_d": "2025-07-13",
        "use_static_shapes": "2025-12-09",
        "fp16": "2025-12-23",
    },
    "structs": "traiNNer.utils.redux_options",
    "imports": ["traiNNer.archs", "traiNNer.data", "traiNNer.losses", "traiNNer.metrics", "traiNNer.optimizers"],
    "registries": {
        "datasets": ["traiNNer.utils.registry:DATASET_REGISTRY"],
        "losses": ["traiNNer.utils.registry:LOSS_REGISTRY"],
        "metrics": ["traiNNer.utils.registry:METRIC_REGISTRY"],
        "networks": [
            "traiNNer.utils.registry:TESTARCH_REGISTRY",
            "traiNNer.utils.registry:ARCH_REGISTRY",
            "traiNNer.utils.registry:SPANDREL_REGISTRY",
        ],
        "optimizers": ["traiNNer.utils.registry:OPTIMIZER_REGISTRY"],
        "schedulers": [
            "torch.optim.lr_scheduler:=constantlr=ConstantLR,linearlr=LinearLR,exponentiallr=ExponentialLR,"
            "cycliclr=CyclicLR,steplr=StepLR,multisteplr=MultiStepLR,lambdalr=LambdaLR,"
            "multiplicativelr=MultiplicativeLR,sequentiallr=SequentialLR,chainedscheduler=ChainedScheduler,"
            "onecyclelr=OneCycleLR,polynomiallr=PolynomialLR,"
            "cosineannealingwarmrestarts=CosineAnnealingWarmRestarts,cosineannealinglr=CosineAnnealingLR,"
            "reducelronplateau=ReduceLROnPlateau",
            "traiNNer.models.base_model:=cosineannealingwarmuplr=CosineAnnealingWarmupLR,"
            "cosineannealingrestartlr=CosineAnnealingRestartLR,kneelr=KneeLR,warmupstabledecaylr=get_wsd_schedule",
        ],
    },
    "curated": {
        "optimizers": _optimizers(_REDUX_OPTIMIZERS, needed=False, three=("adan", "adanschedulefree")),
        "schedulers": {
            "cosineannealingrestartlr": _RESTART,
            "multisteplr": _STEPS,
            "steplr": _FALLING,
            "exponentiallr": _FALLING,
            # base_model.py gives these two itself
            "kneelr": {"$replace": True, "properties": {"explore_ratio": {"type": "number", **_UNIT, "default": 0.5}}},
        },
        "losses": {
            "ldlloss": {
                "properties": {"criterion": {"enum": ["l1", "l2", "charbonnier"]}}
            },  # else: no criterion at all
            "ganloss": {"properties": {"gan_type": {"enum": _GAN_TYPES}}},
            "multiscaleganloss": {"properties": {"gan_type": {"enum": _GAN_TYPES}}},
        },
        "networks": {
            **{name: {"properties": _SWINIR} for name in ("swinir_s", "swinir_m", "swinir_l")},
            "vggstylediscriminator": {"properties": {"input_size": {"enum": [128, 256]}}},
        },
    },
    # sr_model.py: an assertion, whether the loss itself takes it or not
    "every": {"losses": {"required": ["loss_weight"], "properties": {"loss_weight": {"type": "number"}}}},
    # What the structs leave open and the code demands: train.py, data/, models/sr_model.py, ops/batchaug.py.
    "adjust": {
        "ReduxOptions": {
            "required": ["train", "logger", "datasets", "network_g"],
            "properties": {
                "scale": {"minimum": 1},
                "manual_seed": {"minimum": 0},
                "network_g": {"typed": "networks"},
                "network_d": {"typed": "networks"},
                "network_ae": {"typed": "networks"},
                "network_g_teacher": {"typed": "networks"},
                "datasets": {"$replace": True, "$ref": "#/$defs/Datasets"},
                **{
                    f"{name}prob{end}": _UNIT
                    for name in ("blur_", "gaussian_noise_", "gray_noise_", "jpeg_")
                    for end in ("", "2")
                },
                "thicklines_prob": _UNIT,
                "dataroot_lq_prob": _UNIT,
                **{f"resize_prob{end}": {"minItems": 3, "maxItems": 3} for end in ("", "2")},
                **{
                    f"{name}_range{end}": {"items": {"minimum": 0}}
                    for name in ("noise", "poisson_scale", "resize")
                    for end in ("", "2")
                },
                **{f"jpeg_range{end}": {"minItems": 2, "maxItems": 2, "items": _QUALITY} for end in ("", "2")},
                "queue_size": {"minimum": 1},
            },
        },
        "Datasets": {
            "properties": {"train": {"$ref": "#/$defs/TrainSet"}},
            "patternProperties": {"^val(_.*)?$": {"$ref": "#/$defs/DatasetOptions"}},
            "additionalProperties": False,
            "unknown": "raised",  # train.py: a phase that is not recognised
            "required": ["train"],
        },
        "TrainSet": {
            "like": "DatasetOptions",
            "required": ["name", "type", "batch_size_per_gpu", "num_worker_per_gpu"],
        },
        "DatasetOptions": {
            "properties": {
                "type": {"$replace": True, "type": "string", "named": "datasets"},
                "batch_size_per_gpu": {"minimum": 1},
                "accum_iter": {"minimum": 1},
                "lq_size": {"minimum": 1},
                "gt_size": {"minimum": 1},
                "num_worker_per_gpu": {"minimum": 0},
                "prefetch_mode": {"$replace": True, "enum": ["cpu", "cuda", None], "default": None, "asserted": True},
                "sinc_prob": _UNIT,
                "sinc_prob2": _UNIT,
                "final_sinc_prob": _UNIT,
                **{f"kernel_list{end}": {"items": {"$replace": True, "asserted": True, **KERNEL}} for end in ("", "2")},
                # data/realesrgan_dataset.py: kernels are padded to 21
                **{
                    name: {"items": {"maximum": 21}} for name in ("kernel_range", "kernel_range2", "final_kernel_range")
                },
            },
            "allOf": [
                {
                    "if": {
                        "properties": {
                            "type": {"enum": ["pairedimagedataset", "pairedvideodataset", "realesrganpaireddataset"]}
                        },
                        "required": ["type"],
                    },
                    "then": {"required": ["dataroot_gt", "dataroot_lq"]},
                },
                {
                    "if": {
                        "properties": {"type": {"enum": ["realesrgandataset", "singlegtdataset"]}},
                        "required": ["type"],
                    },
                    "then": {"required": ["dataroot_gt"]},
                },
                {
                    "if": {
                        "properties": {"type": {"enum": ["singleimagedataset", "singlevideodataset"]}},
                        "required": ["type"],
                    },
                    "then": {"required": ["dataroot_lq"]},
                },
            ],
        },
        "TrainOptions": {
            "properties": {
                "total_iter": {"minimum": 1},
                "optim_g": {"typed": "optimizers"},
                "optim_d": {"typed": "optimizers"},
                "optim_ae": {"typed": "optimizers"},
                "scheduler": {"typed": "schedulers"},
                "losses": {"items": {"$replace": True, "typed": "losses"}},
                **{
                    f"{name}_opt": {"typed": "losses"}
                    for name in [
                        "pixel",
                        "mssim",
                        "ms_ssim_l1",
                        "perceptual",
                        "contextual",
                        "dists",
                        "hr_inversion",
                        "dinov2",
                        "topiq",
                        "pd",
                        "fd",
                        "ldl",
                        "hsluv",
                        "gan",
                        "color",
                        "luma",
                        "avg",
                        "bicubic",
                    ]
                },
                "moa_augs": {
                    "items": {
                        "enum": ["none", "mixup", "cutmix", "resizemix", "cutblur", "downup", "up"],
                        "asserted": True,
                    }
                },
            },
        },
        "ValOptions": {
            "properties": {"metrics": {"additionalProperties": {"typed": "metrics"}}, "val_freq": {"minimum": 1}},
            "required": ["val_freq"],
        },
        "LogOptions": {"properties": {"print_freq": {"minimum": 1}, "save_checkpoint_freq": {"minimum": 1}}},
    },
}
_SCHEDULED = {  # losses/__init__.py of the fork takes these out before it builds the loss
    name: {"type": "number"}
    for name in ("start_iter", "target_iter", "target_weight", "disable_after", "loss_decay", "loss_decay_inflection")
}
_AUTOMATIONS = {  # utils/training_automations.py: what each asks its mapping for
    "IntelligentLearningRateScheduler": """
enabled: bool =false
fallback: map
max_adjustments: int =100
monitor_loss: bool =true
monitor_validation: bool =true
adaptation_threshold: float =0.02
plateau_patience: int =1000
improvement_threshold: float =0.001
min_lr_factor: float =0.1
max_lr_factor: float =2.0
lr_log_frequency: int
architecture_hints: map
""",
    "DynamicBatchAndPatchSizeOptimizer": """
enabled: bool =false
fallback: map
max_adjustments: int =100
target_vram_usage: float >0 <=1 =0.85
safety_margin: float >=0 <1 =0.05
adjustment_frequency: int
min_batch_size: int =2
max_batch_size: int =64
min_lq_size: int =32
max_lq_size: int =256
vram_history_size: int =50
""",
    "AdaptiveGradientClipping": """
enabled: bool =false
fallback: map
max_adjustments: int =100
^.*$: float | int | bool | str | list | map | null
""",
    "IntelligentEarlyStopping": """
enabled: bool =false
fallback: map
max_adjustments: int =100
patience: int =2000
min_improvement: float =0.001
min_epochs: int =1000
min_iterations: int =5000
monitor_metric: str ="val/psnr"
max_no_improvement: int
improvement_threshold: float =0.002
warmup_iterations: int =1000
convergence_log_frequency: int
convergence_threshold: float
^min_sustained.*$: int
""",
}
_FORK = copy.deepcopy(TRAINERS["traiNNer-redux"])
_FORK["repository"] = "delafer/traiNNer-redux"
_merge_properties = {**_SCHEDULED, "schedule_type": {"type": "string"}, "warn_on_unused": {"type": "boolean"}}
_FORK["every"]["losses"]["properties"] = {**_FORK["every"]["losses"].get("properties", {}), **_merge_properties}
_FORK_CHANCES = (
    "p_clean webp_prob avif_prob heif_prob recompression_prob oversharpen_prob editing_oversharpen_prob editing_prob "
    "editing_exposure_prob exposure_prob chromatic_aberration_prob color_temp_prob demosaic_prob aliasing_prob "
    "motion_blur_prob lens_distort_prob sensor_noise_prob rolling_shutter_prob sequence_probability"
)
_R3GAN = {name: {"type": "number"} for name in ("r1_weight", "r2_weight")}  # build_loss makes an R3GANLoss of r3gan
_FORK["curated"]["losses"]["ganloss"] = {"properties": {"gan_type": {"enum": [*_GAN_TYPES, "r3gan"]}, **_R3GAN}}
for _name in _FORK_CHANCES.split():
    _FORK["adjust"]["ReduxOptions"]["properties"][_name] = _UNIT
for _name, _text in _AUTOMATIONS.items():
    _FORK["adjust"][f"Automation{_name}"] = {**section(_text), "unknown": "ignored"}
_FORK["adjust"]["Automations"] = {
    "type": "object",
    "properties": {
        "enabled": {"type": "boolean", "default": False},
        **{name: {"$ref": f"#/$defs/Automation{name}"} for name in _AUTOMATIONS},
    },
    "additionalProperties": True,
}
_FORK["adjust"]["TrainOptions"]["properties"]["training_automations"] = {
    "$replace": True,
    "anyOf": [{"$ref": "#/$defs/Automations"}, {"type": "null"}],
    "default": None,
}
TRAINERS["traiNNer-redux-fork"] = _FORK

"""What BasicSR and Real-ESRGAN read from a config, by hand; `trainer_options.py` holds it against the code.

`earlier` are keys that a trainer's history has and its code has no more, with the day of the commit that took them out
(`git log -p` of its options).
"""

from __future__ import annotations

from trainer_options_schema import RESTART, STEPS, TORCH_OPTIMIZERS, Schema, keys_in, optimizers

_IO = """
type!: "disk" | "lmdb" | "memcached"
^.*$: str | list | bool | int | null
"""
DEGRADATIONS = """
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
KERNELS = """
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
_ROOT = """
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
_RULES = (
    "if model_type RealESRGANModel: l1_gt_usm percep_gt_usm gan_gt_usm network_d\n"
    "if model_type RealESRNetModel: gt_usm\n"
    "if model_type RealESRGANModel RealESRNetModel and high_order_degradation true: "
    f"scale gt_size {keys_in(DEGRADATIONS)}\n"
    "if model_type SRGANModel ESRGANModel VideoRecurrentGANModel HiFaceGANModel StyleGAN2Model: network_d\n"
)
_SECTIONS = {
    "root": _ROOT + DEGRADATIONS + _RULES,
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
    + KERNELS
    + "if type PairedImageDataset: dataroot_gt dataroot_lq gt_size use_hflip use_rot\n"
    + f"if type RealESRGANDataset: dataroot_gt meta_info use_hflip use_rot {keys_in(KERNELS)}\n"
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
_IGNORED = {
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
SWINIR = {"resi_connection": {"enum": ["1conv", "3conv"]}}  # else: no convolution at all, and an AttributeError
_UPSAMPLERS = ["pixelshuffle", "pixelshuffledirect", "nearest+conv", ""]  # else: as for denoising, without one
_CRITERIA = {"enum": ["l1", "l2", "fro"]}  # PerceptualLoss; anything else raises
SET_BY_THE_TRAINER = {
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
}

BASICSR: Schema = {
    "repository": "XPixelGroup/BasicSR",
    "unknown": "ignored",
    "case": True,
    "code": ["basicsr"],
    "sections": _SECTIONS,
    "ignored": _IGNORED,
    "earlier": {
        "ann_file": "2020-08-19",
        "niter": "2020-08-19",
        "pretrain_model_g": "2020-10-04",
        "pretrain_model_d": "2020-10-04",
        "strict_load": "2020-10-04",
        "use_flip": "2021-11-29",
    },
    "set_by_the_trainer": SET_BY_THE_TRAINER,
    "passed_on": {"dist_params", "network_d", "num_style_feat", "window_size"},
    "imports": ["basicsr.archs", "basicsr.data", "basicsr.losses", "basicsr.metrics", "basicsr.models"],
    "registries": {
        "models": ["basicsr.utils.registry:MODEL_REGISTRY"],
        "datasets": ["basicsr.utils.registry:DATASET_REGISTRY"],
        "losses": ["basicsr.utils.registry:LOSS_REGISTRY"],
        "metrics": ["basicsr.utils.registry:METRIC_REGISTRY"],
        "networks": ["basicsr.utils.registry:ARCH_REGISTRY"],
        "optimizers": [TORCH_OPTIMIZERS],
        "schedulers": [
            "basicsr.models.lr_scheduler:=MultiStepLR=MultiStepRestartLR,MultiStepRestartLR,CosineAnnealingRestartLR"
        ],
    },
    "curated": {
        "optimizers": optimizers("Adam AdamW Adamax SGD ASGD RMSprop Rprop", needed=True),
        "schedulers": {"CosineAnnealingRestartLR": RESTART, "MultiStepLR": STEPS, "MultiStepRestartLR": STEPS},
        "losses": {
            "PerceptualLoss": {"properties": {"vgg_type": _VGG, "criterion": _CRITERIA, "layer_weights": _VGG_LAYERS}},
        },
        "networks": {
            "SwinIR": {"properties": {**SWINIR, "upsampler": {"enum": _UPSAMPLERS}}},
            "SRVGGNetCompact": {"properties": {"act_type": {"enum": ["relu", "prelu", "leakyrelu"]}}},
            "VGGStyleDiscriminator": {"properties": {"input_size": {"enum": [128, 256]}}},
            "ECBSR": {"properties": {"act_type": {"enum": ["prelu", "relu", "rrelu", "softplus", "linear"]}}},
        },
    },
}
REAL_ESRGAN: Schema = {
    **BASICSR,
    "repository": "xinntao/Real-ESRGAN",
    "code": ["realesrgan", "../XPixelGroup+BasicSR/basicsr"],
    "imports": [*BASICSR["imports"], "realesrgan.archs", "realesrgan.data", "realesrgan.models"],
}

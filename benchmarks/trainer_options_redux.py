"""What traiNNer-redux and its fork demand beyond their structs, by hand; `trainer_options.py` merges it into those.

`earlier` are keys that a trainer's history has and its code has no more, with the day of the commit that took them out
(`git log -p` of its options).
"""

from __future__ import annotations

import copy

from trainer_options_basicsr import SWINIR
from trainer_options_schema import FALLING, KERNEL, RESTART, STEPS, Schema, optimizers, rule, section

_UNIT = {"minimum": 0, "maximum": 1}
_QUALITY = {"minimum": 1, "maximum": 100}  # of JPEG
_GAN_TYPES = ["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"]  # losses/gan_loss.py
_REDUX_OPTIMIZERS = "adam adamw nadam stableadamw soap adopt adan adamwschedulefree adanschedulefree"
_LOSSES = (
    "pixel mssim ms_ssim_l1 perceptual contextual dists hr_inversion dinov2 topiq pd "
    "fd ldl hsluv gan color luma avg bicubic"
)
REDUX: Schema = {
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
        "optimizers": optimizers(_REDUX_OPTIMIZERS, needed=False, three=("adan", "adanschedulefree")),
        "schedulers": {
            "cosineannealingrestartlr": RESTART,
            "multisteplr": STEPS,
            "steplr": FALLING,
            "exponentiallr": FALLING,
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
            **{name: {"properties": SWINIR} for name in ("swinir_s", "swinir_m", "swinir_l")},
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
                rule("if type pairedimagedataset pairedvideodataset realesrganpaireddataset: dataroot_gt dataroot_lq"),
                rule("if type realesrgandataset singlegtdataset: dataroot_gt"),
                rule("if type singleimagedataset singlevideodataset: dataroot_lq"),
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
                **{f"{name}_opt": {"typed": "losses"} for name in _LOSSES.split()},
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

# The fork.

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
FORK = copy.deepcopy(REDUX)
FORK["repository"] = "delafer/traiNNer-redux"
_merge_properties = {**_SCHEDULED, "schedule_type": {"type": "string"}, "warn_on_unused": {"type": "boolean"}}
FORK["every"]["losses"]["properties"] = {**FORK["every"]["losses"].get("properties", {}), **_merge_properties}
_CHANCES = (
    "p_clean webp_prob avif_prob heif_prob recompression_prob oversharpen_prob editing_oversharpen_prob editing_prob "
    "editing_exposure_prob exposure_prob chromatic_aberration_prob color_temp_prob demosaic_prob aliasing_prob "
    "motion_blur_prob lens_distort_prob sensor_noise_prob rolling_shutter_prob sequence_probability"
)
_R3GAN = {name: {"type": "number"} for name in ("r1_weight", "r2_weight")}  # build_loss makes an R3GANLoss of r3gan
FORK["curated"]["losses"]["ganloss"] = {"properties": {"gan_type": {"enum": [*_GAN_TYPES, "r3gan"]}, **_R3GAN}}
for _name in _CHANCES.split():
    FORK["adjust"]["ReduxOptions"]["properties"][_name] = _UNIT
for _name, _text in _AUTOMATIONS.items():
    FORK["adjust"][f"Automation{_name}"] = {**section(_text), "unknown": "ignored"}
FORK["adjust"]["Automations"] = {
    "type": "object",
    "properties": {
        "enabled": {"type": "boolean", "default": False},
        **{name: {"$ref": f"#/$defs/Automation{name}"} for name in _AUTOMATIONS},
    },
    "additionalProperties": True,
}
FORK["adjust"]["TrainOptions"]["properties"]["training_automations"] = {
    "$replace": True,
    "anyOf": [{"$ref": "#/$defs/Automations"}, {"type": "null"}],
    "default": None,
}

"""The methods that the efficacy benchmark compares: one file each, with its source and its formula.

A method is made anew for each run from a `Task` and called with the raw losses of a step, the iteration (from 1) and
the network's output; what it returns is minimised. Another method is one file and one row of METHODS. What the
scheduler's own defaults are compared with stands in variations.py.
"""

from __future__ import annotations

from types import MappingProxyType

from efficacy_methods.autocal import autocal, autocal_shares
from efficacy_methods.balancer import Balancer
from efficacy_methods.dwa import DynamicWeightAverage
from efficacy_methods.existing import ExistingRule
from efficacy_methods.gradnorm import GradNorm
from efficacy_methods.softadapt import SoftAdapt
from efficacy_methods.static import static
from efficacy_methods.task import Method
from efficacy_methods.variations import VARIATIONS

METHODS: MappingProxyType[str, Method] = MappingProxyType(
    {
        "static": static,
        "autocal": autocal,
        "autocal shares": autocal_shares,
        "existing rule": ExistingRule,
        "DWA": DynamicWeightAverage,
        "SoftAdapt": SoftAdapt,
        "balancer": Balancer,
        "GradNorm": GradNorm,
    }
)
ALL: MappingProxyType[str, Method] = MappingProxyType({**METHODS, **VARIATIONS})

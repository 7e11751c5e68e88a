"""What to do with a fitted law: budgets and the models they buy."""

from scaling_core.planning.basis import Basis, basis_of_fit, basis_of_published
from scaling_core.planning.demand import Demand
from scaling_core.planning.frontier import LOG_STEP, QUANTITIES, budgets, frontier, times_beyond
from scaling_core.planning.plan import Plan, plan
from scaling_core.planning.published import PUBLISHED, PublishedLaw, get_published
from scaling_core.planning.scenario import MAX_FLOPS, MIN_FLOPS, Scenario

__all__ = [
    "LOG_STEP",
    "MAX_FLOPS",
    "MIN_FLOPS",
    "PUBLISHED",
    "QUANTITIES",
    "Basis",
    "Demand",
    "Plan",
    "PublishedLaw",
    "Scenario",
    "basis_of_fit",
    "basis_of_published",
    "budgets",
    "frontier",
    "get_published",
    "plan",
    "times_beyond",
]

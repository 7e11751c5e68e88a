"""What to do with a fitted law: budgets and the models they buy."""

from scaling_core.planning.answers import QUANTITIES
from scaling_core.planning.basis import Basis, basis_of_fit, basis_of_published
from scaling_core.planning.budget import Budget, Terms, amounts
from scaling_core.planning.demand import Demand
from scaling_core.planning.frontier import LOG_STEP, budget_of, budgets, frontier, times_beyond
from scaling_core.planning.hardware import PRECISIONS, Hardware, get_hardware, known_hardware
from scaling_core.planning.plan import Plan, plan
from scaling_core.planning.published import PUBLISHED, PublishedLaw, get_published
from scaling_core.planning.scenario import MAX_FLOPS, MIN_FLOPS, Scenario

__all__ = [
    "LOG_STEP",
    "MAX_FLOPS",
    "MIN_FLOPS",
    "PRECISIONS",
    "PUBLISHED",
    "QUANTITIES",
    "Basis",
    "Budget",
    "Demand",
    "Hardware",
    "Plan",
    "PublishedLaw",
    "Scenario",
    "Terms",
    "amounts",
    "basis_of_fit",
    "basis_of_published",
    "budget_of",
    "budgets",
    "frontier",
    "get_hardware",
    "get_published",
    "known_hardware",
    "plan",
    "times_beyond",
]

"""One thread a process, where many processes compute beside one another."""

from __future__ import annotations

#: Variables of the environment of such a process, which numpy and torch read when they are loaded. The queue runs one
#: job a core, and libraries that each start a thread a core stand in each other's way.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

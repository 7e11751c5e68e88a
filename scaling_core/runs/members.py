"""Which files of an archive or a folder are opened at all, judged by their names alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib", ".npy", ".npz", ".distcp")
_WEIGHTS = (".safetensors", ".onnx", ".gguf", ".h5", ".hdf5", ".msgpack", ".keras", ".tflite")
_OTHER = (
    ".py", ".pyc", ".ipynb", ".md", ".rst", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".html", ".css", ".js",
    ".sh", ".toml", ".lock", ".ini", ".cfg", ".diff", ".patch", ".c", ".cu", ".cpp", ".h",
)  # fmt: skip
_TOKENIZER = frozenset(
    {
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt",
        "added_tokens.json", "generation_config.json", "preprocessor_config.json", "tokenizer.model", "vocab.txt",
        "model.safetensors.index.json", "pytorch_model.bin.index.json", "license", "requirements.txt",
    }
)  # fmt: skip
#: Files of settings, by their names in lower case.
SETTINGS = re.compile(
    r"(?:.*[_-])?(?:config|cfg|settings|hparams|hyperparameters|hyperparams|args|arguments|params)\.(?:json|ya?ml|toml)"
    r"|meta_\d+\.json"
)
_SUMMARIES = ("all_results.json", "train_results.json", "eval_results.json")
#: Hidden folders that hold a run's settings.
_TELLING = frozenset({".hydra"})

PICKLE = "pickles are never opened, because they can run code"
SUMMARY = "summaries of a run whose log lies beside them"
OUTSIDE = "their names lead out of the archive"


def why_unopened(path: str) -> str:
    """Return why a file of this path is not opened, as words after "not opened:", or nothing if it is."""
    parts = PurePosixPath(path).parts
    if any(p.startswith((".", "__")) and p not in _TELLING for p in parts):
        return "hidden files and files of the system"
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in _PICKLES:
        return PICKLE
    if suffix in _WEIGHTS:
        return "weights of models, not logs"
    is_settings = SETTINGS.fullmatch(parts[-1].lower()) is not None
    if (suffix in _OTHER and not is_settings) or parts[-1].lower() in _TOKENIZER:
        return "no logs of runs"
    return ""


def summaries(paths: Sequence[str]) -> frozenset[str]:
    """Return the files in which Hugging Face's Trainer sums up a run whose log lies in the same folder."""
    logged = {PurePosixPath(path).parent for path in paths if PurePosixPath(path).name == "trainer_state.json"}
    return frozenset(
        path for path in paths if PurePosixPath(path).name in _SUMMARIES and PurePosixPath(path).parent in logged
    )


def clean_path(name: str) -> str | None:
    """Return a path inside an archive with ``/`` and without ``.``, or None if it leads out of it."""
    name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    leads_out = name.startswith("/") or ".." in parts or (bool(parts) and parts[0].endswith(":"))
    return None if leads_out or not parts or not name.isprintable() else "/".join(parts)

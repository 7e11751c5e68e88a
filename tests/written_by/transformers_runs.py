"""Let Hugging Face's Trainer train two small models: ``python -m written_by.transformers_runs FOLDER``.

Of what it writes, the JSON of states, settings and results is kept; tokens are counted in the second run alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

_KEPT = ("trainer_state.json", "config.json", "all_results.json", "eval_results.json", "train_results.json")


def write(folder: Path) -> None:
    """Train both."""
    for layers, width in ((1, 16), (2, 32)):
        set_seed(0)
        tokens = torch.randint(0, 4, (128, 33)).cumsum(1)[:, :32] % 64
        data = [{"input_ids": row, "labels": row} for row in tokens]
        model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=32, n_embd=width, n_layer=layers, n_head=2))
        arguments = TrainingArguments(
            output_dir=str(folder / f"gpt2-{layers}x{width}"),
            per_device_train_batch_size=8,
            gradient_accumulation_steps=2,
            max_steps=40,
            logging_steps=5,
            eval_strategy="steps",
            eval_steps=10,
            save_steps=20,
            learning_rate=1e-2,
            include_num_input_tokens_seen=layers == 2,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = Trainer(model, arguments, train_dataset=data, eval_dataset=data[:32])
        result = trainer.train()
        trainer.save_metrics("train", result.metrics)
        trainer.save_metrics("eval", trainer.evaluate())
        trainer.save_state()
        for file in (folder / f"gpt2-{layers}x{width}").rglob("*"):
            if file.is_file() and file.name not in _KEPT:
                file.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1]))

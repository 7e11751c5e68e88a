"""Logs as tools write them, shortened."""

from __future__ import annotations

import json

NANOGPT = """\
tokens per iteration will be: 16,384
number of parameters: 10.65M
num decayed parameter tensors: 26, with 10,740,096 parameters
step 0: train loss 4.2874, val loss 4.2823
iter 0: loss 4.2654, time 34153.01ms, mfu -100.00%
iter 10: loss 3.1462, time 17.35ms, mfu 21.48%
step 250: train loss 1.9634, val loss 2.0653
saving checkpoint to out
iter 250: loss 2.0312, time 5320.11ms, mfu 19.02%
step 500: train loss 1.5250, val loss 1.7254
"""
LITGPT = """\
{'train': TrainArgs(global_batch_size=16, micro_batch_size=4), 'model_config': Config(block_size=512)}
Total parameters: 14,067,712
Epoch 1 | iter 4 step 1 | loss train: 10.525, val: n/a | iter time: 512.30 ms (step) remaining time: 0:12:30
Epoch 1 | iter 8 step 2 | loss train: 9.801, val: n/a | iter time: 102.11 ms (step) remaining time: 0:11:58
Validating ...
iter 8: val loss 9.7012, val time: 1203.20 ms
Epoch 1 | iter 12 step 3 | loss train: 9.100, val: 9.701 | iter time: 103.90 ms (step) remaining time: 0:11:00
iter 12: val loss 9.0500, val time: 1190.10 ms
"""
NANOCHAT = """\
Model config:
{
  "sequence_len": 2048,
  "vocab_size": 65536,
  "n_layer": 12
}
Parameter counts:
wte                     : 50,331,648
lm_head                 : 50,331,648
transformer_matrices    : 84,935,808
total                   : 185,599,104
Estimated FLOPs per token: 8.500000e+08
Total batch size 524,288 => gradient accumulation steps: 1
Step 00000 | Validation bpb: 3.301234
step 00000/02205 (0.00%) | loss: 11.090355 | lrm: 0.03 | dt: 9500.10ms | tok/sec: 55,187 | total time: 0.00m
step 00250/02205 (11.34%) | loss: 4.512345 | lrm: 1.00 | dt: 350.20ms | tok/sec: 1,497 | total time: 1.40m | eta: 9m
Step 00250 | Validation bpb: 1.301234
Step 02205 | Validation bpb: 0.871234
Step 02205 | CORE metric: 0.1512
"""
MODDED = """\
import sys
print0(f"step:{step}/{train_steps} val_loss:{val_loss:.4f} train_time:{training_time_ms:.0f}ms", console=True)
====================================================================================================
step:0/1770 val_loss:10.8258 train_time:0ms step_avg:0.03ms
step:1/1770 train_time:65ms step_avg:64.98ms
step:125/1770 val_loss:4.3512 train_time:11000ms step_avg:88.00ms
step:1770/1770 val_loss:3.2780 train_time:155000ms step_avg:87.57ms
peak memory allocated: 30724 MiB reserved: 46316 MiB
"""
LIGHTNING = """\
epoch,step,train_loss,val_loss
0,49,5.91,
0,99,5.12,
0,99,,5.01
1,149,4.71,
1,199,4.42,
1,199,,4.40
"""
HPARAMS = """\
tokens_per_step: 4096
model:
  n_layer: 4
  n_head: 4
  n_embd: 128
  block_size: 128
  vocab_size: 1000
  bias: false
optimizer: !!python/name:torch.optim.AdamW ''
betas: [0.9, 0.95]
"""
LITGPT_CSV = """\
epoch,iter,iter_time,learning_rate,loss,remaining_time,step,tokens,total_tokens,val_loss,val_ppl
0,4,0.5,0.0001,10.5,100,3,8192,32768,,
0,8,0.5,0.0002,9.5,90,7,16384,65536,,
,,,,,,7,,,9.25,10404.5
0,12,0.5,0.0002,8.5,80,11,24576,98304,,
,,,,,,15,,,8.2,3640.9
"""
KERAS = "epoch;accuracy;loss;val_accuracy;val_loss\n0;0.1;2.5;0.11;2.4\n1;0.2;2.1;0.21;2.0\n"
#: The shape of pythia-70m: 70,426,624 parameters, of which 25,755,648 are the table of embeddings.
CONFIG = json.dumps(
    {"model_type": "gpt_neox", "num_hidden_layers": 6, "hidden_size": 512, "num_attention_heads": 8,
     "intermediate_size": 2048, "vocab_size": 50304, "max_position_embeddings": 2048, "tie_word_embeddings": False},
    indent=2,
)  # fmt: skip
OUTSIDE_TABLES = 70_426_624 - 25_755_648


def trainer_state(upto: int = 1000, tokens: float = 1e9, offset: float = 0.0) -> str:
    """``trainer_state.json`` as the Trainer writes it after ``upto`` of 1,000 steps of a run over ``tokens``."""
    history: list[dict[str, float]] = []
    for step in range(100, upto + 1, 100):
        loss = 5 - step / 1000 + offset
        history.append({"epoch": step / 1000, "learning_rate": 1e-4, "loss": loss, "step": step})
        if step % 500 == 0:
            history.append({"epoch": step / 1000, "eval_loss": loss - 0.1, "eval_runtime": step / 7.0, "step": step})
    flops = 6 * OUTSIDE_TABLES * tokens * upto / 1000
    if upto == 1000:
        history.append({"epoch": 1.0, "step": upto, "total_flos": flops, "train_loss": 4.45, "train_runtime": 10.0})
    state = {"best_metric": None, "epoch": upto / 1000, "global_step": upto, "log_history": history, "max_steps": 1000,
             "num_input_tokens_seen": 0, "total_flos": flops, "train_batch_size": 8}  # fmt: skip
    return json.dumps(state, indent=2, sort_keys=True)


#: Two validations, the second of them also printed for the test set.
MEGATRON = """\
  seq_length ...................................... 2048
  global_batch_size ............................... 64
Total number of parameters in billions: 0.35
[before the start of training step] datetime: 2025-01-01 00:00:00
 [2025-01-01 00:00:09] iteration      100/     200 | consumed samples:         6400 | elapsed time per iteration (ms): \
812.5 | throughput per GPU (TFLOP/s/GPU): 98.1 | learning rate: 1.000000E-04 | global batch size:    64 | \
lm loss: 6.250000E+00 | loss scale: 1.0 | grad norm: 1.302 | number of skipped iterations:   0 |
 validation loss at iteration 100 | lm loss value: 6.125000E+00 | lm loss PPL: 4.571449E+02 |
 [2025-01-01 00:00:18] iteration      200/     200 | consumed samples:        19200 | elapsed time per iteration (ms): \
810.0 | throughput per GPU (TFLOP/s/GPU): 98.2 | learning rate: 1.000000E-05 | global batch size:   128 | \
lm loss: 5.500000E+00 | loss scale: 1.0 | grad norm: 1.100 | number of skipped iterations:   0 |
 validation loss at iteration 200 on validation set | lm loss value: 5.375000E+00 | lm loss PPL: 2.159426E+02 |
 validation loss at iteration 200 on test set | lm loss value: 5.750000E+00 | lm loss PPL: 3.141907E+02 |
"""
NEOX = """\
 samples/sec: 41.2 | iteration       10/  320 | elapsed time per iteration (ms): 1552.8 | learning rate: 1.875E-06 | \
approx flops per GPU: 38.2TFLOPS | lm_loss: 1.0953E+01 | loss scale: 4096.0 | number of skipped iterations:   0 |
 validation results at iteration 10 | lm_loss value: 1.0875E+01 | lm_loss_ppl value: 5.2838E+04 |
"""
#: An evaluation follows the step that it belongs to; its batches are counted by lines that look like steps.
OLMO = """\
[2025-01-01 00:00:01] INFO     [train:135, rank=0] Total number of parameters: 190,354,176
[2025-01-01 00:00:01] INFO     [train:136, rank=0] Number of non-embedding parameters: 151,879,680
[2025-01-01 00:00:02] INFO     [olmo.train:700, rank=0] Pre-train system metrics
    System/Peak GPU Memory (MB)=2,250
[2025-01-01 00:00:05] INFO     [olmo.train:816, rank=0] [step=1/1000,epoch=0]
    train/CrossEntropyLoss=11.25
    train/Perplexity=76,879
    throughput/total_tokens=4,194,304
[2025-01-01 00:01:05] INFO     [olmo.train:816, rank=0] [step=500/1000,epoch=0]
    train/CrossEntropyLoss=4.125
    throughput/total_tokens=2,097,152,000
[2025-01-01 00:01:06] INFO     [olmo.train:900, rank=0] Running evaluation for 'c4_en-validation'...
[2025-01-01 00:01:08] INFO     [olmo.train:910, rank=0] [eval_step=5/16]
[2025-01-01 00:01:10] INFO     [olmo.train:920, rank=0] arc_easy
    eval/downstream_ce_loss/arc_easy_ce_loss=2.501
[2025-01-01 00:01:09] INFO     [olmo.train:920, rank=0] c4_en-validation
    eval/c4_en-validation/CrossEntropyLoss=4.250
    eval/c4_en-validation/Perplexity=70.11
[2025-01-01 00:02:05] INFO     [olmo.train:816, rank=0] [step=1000/1000,epoch=0]
    train/CrossEntropyLoss=3.500
    throughput/total_tokens=4,194,304,000
[2025-01-01 00:02:09] INFO     [olmo.train:920, rank=0] c4_en-validation
    eval/c4_en-validation/CrossEntropyLoss=3.625
"""
OLMO_CORE = """\
2025-01-01 00:00:01 host:0 olmo_core.train:68 INFO \x1b[32m[step=10/???,epoch=1,eta=5h11m]\x1b[0m
    train/CE loss=6.234
    train/PPL=509.8
    throughput/total tokens=5,242,880
2025-01-01 00:00:02 host:0 olmo_core.train:160 INFO Running lm evals...
2025-01-01 00:00:03 host:0 olmo_core.train:180 INFO [eval=lm,step=5/16]
2025-01-01 00:00:04 host:0 olmo_core.train:190 INFO Finished lm evals in 2.1 seconds. Metrics:
    c4_en-validation/CE loss=6.125
    arc_easy (CE loss v2)=1.500
2025-01-01 00:00:04 host:0 olmo_core.train:195 INFO Evaluation speed:
    c4_en-validation (+variants): 2.1 sec (16 batches)
"""


def autoresearch(steps: int = 50) -> str:
    """A run of autoresearch: all steps on one line, each written over the one before, then a summary."""
    bar = "".join(
        f"\rstep {i:05d} ({2 * i}.0%) | loss: {9 - i / 10:.6f} | lrm: 1.00 | dt: {300 + i}ms | tok/sec: 1,000,000 | "
        f"epoch: 1 | remaining: {300 - i}s    "
        for i in range(steps)
    )
    return (
        f"Time budget: 300s\n{bar}\nTraining completed in 300.1s\n---\n"
        "val_bpb:          0.997900\ntraining_seconds: 300.1\npeak_vram_mb:     45060.2\ntotal_tokens_M:   26.2\n"
        f"num_steps:        {steps}\nnum_params_M:     50.3\ndepth:            8\n"
    )


#: As torchtitan prints it, by one rank.
TITAN = """\
[rank0]:[titan] 2025-01-01 10:00:00,100 - root - INFO - Model debug size: 6,139,136 total parameters
[rank0]:[titan] 2025-01-01 10:00:00,200 - root - INFO - Trainer is initialized with local batch size 8, \
global batch size 64, gradient accumulation steps 1, sequence length 2048, total steps 10
[rank0]:[titan] 2025-01-01 10:00:01,300 - root - INFO - step:  1  loss:  8.15000  grad_norm:  1.4000  memory: \
 1.20GiB(1.51%)  tps: 12,000  tflops: 0.52  mfu: 0.17%
[rank0]:[titan] 2025-01-01 10:00:02,300 - root - INFO - step: 10  loss:  4.25000  grad_norm:  2.1000  memory: \
 1.20GiB(1.51%)  tps: 61,000  tflops: 2.60  mfu: 0.83%
"""
#: A table of settings, then steps, as llm.c prints them.
LLMC = """\
+-----------------------+----------------------------------------------------+
| num_parameters        | 124475904                                          |
+-----------------------+----------------------------------------------------+
val loss 11.009000
step    1/19560 | loss 11.009701 (+nanz)| norm 15.2461 (+nanz)| lr 8.57e-07 | 3056.36 ms | 171537 tok/s
step    2/19560 | loss 10.750000 (+nanz)| norm 15.0115 (+nanz)| lr 1.71e-06 | 2747.82 ms | 190805 tok/s
val loss 10.500000
"""
#: What llm.c files beside its checkpoints.
LLMC_FILED = "s:0 tel:11.0100\ns:0 eval:0.2461\ns:1 trl:10.9000 lr:0.000001 norm:15.20\ns:250 tel:6.5000\n"
SUMMARIES = """\
---
name: small
params_M: 50.5
total_tokens_M: 500.5
val_loss: 3.25
depth: 8

name: large
params_M: 100.5
total_tokens_M: 500.5
val_loss: 3.0
depth: 12
"""


def bar(done: int, total: int, more: str = "", title: str = "") -> str:
    """A progress bar as tqdm draws it over the one before."""
    share = 100 * done // total
    return f"\r{title}{share:3d}%|{'█' * (share // 10):10}| {done}/{total} [00:{done:02d}<00:50,  9.8it/s{more}]"


def trainer_printed(steps: int = 50, every: int = 10) -> str:
    """What Hugging Face's Trainer prints: bars over one another, rows as dictionaries, and the bar of an evaluation."""
    text = "Model has 124M parameters\n" + bar(50, 50, title="Map:").replace("it/s", " examples/s") + "\n" + bar(0, 100)
    for step in range(every, steps + 1, every):
        text += bar(step, 100)
        text += f"\n{{'loss': {9 - step / 10:.4f}, 'grad_norm': {step / 3:.3f}, 'epoch': {step / 100:.2f}}}\n"
    return text + bar(3, 20) + bar(20, 20) + "\n{'eval_loss': 4.2500, 'eval_runtime': 3.2, 'epoch': 0.5}\n"


def bars_with_loss() -> str:
    """A loop that shows its loss behind the bar alone."""
    steps = "".join(bar(i, 100, f", loss={9 - i / 20:.3f}, lr=1e-4") for i in range(5, 101, 5))
    head = "Model has 124M parameters, batch_size=8, seq_len=1024, grad_accum=2\n"
    return f"{head}{bar(0, 100)}{steps}\nFinal validation loss: 4.125\n"

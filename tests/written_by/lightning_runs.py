"""Let PyTorch Lightning train small models and log to CSV: ``python -m written_by.lightning_runs FOLDER``.

``sweep/version_0`` and ``version_1`` are runs of the Trainer, of two widths; ``version_1`` logs its learning rate, too.
"""

from __future__ import annotations

import sys

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LearningRateMonitor
from pytorch_lightning.loggers import CSVLogger
from torch import nn


class Tiny(pl.LightningModule):
    """Predicts a token from the one before."""

    def __init__(self, width: int, batch_size: int, seq_len: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.table, self.out = nn.Embedding(16, width), nn.Linear(width, 16)
        self.seen = 0

    def _loss(self, tokens: torch.Tensor) -> torch.Tensor:
        logits = self.out(self.table(tokens[:, :-1]))
        return nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        """Log as most do: by step, averaged by epoch, and the tokens seen."""
        loss = self._loss(batch[0])
        self.seen += batch[0].numel()
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("tokens_seen", float(self.seen))
        return loss

    def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
        """Log the mean of an epoch."""
        self.log("val_loss", self._loss(batch[0]))

    def configure_optimizers(self) -> dict[str, object]:
        """Adam, with a rate that falls."""
        optimizer = torch.optim.Adam(self.parameters(), lr=0.05)
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)}


def write(folder: str) -> None:
    """Train both."""
    for version, width in enumerate((4, 16)):
        pl.seed_everything(version, verbose=False)
        tokens = torch.randint(0, 4, (64, 9)).cumsum(1) % 16
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(tokens), batch_size=8)
        trainer = pl.Trainer(
            max_epochs=4,
            accelerator="cpu",
            logger=CSVLogger(folder, name="sweep"),
            log_every_n_steps=3,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[LearningRateMonitor()] if version else [],
        )
        trainer.fit(Tiny(width, 8, 9), data, data)


if __name__ == "__main__":
    write(sys.argv[1])

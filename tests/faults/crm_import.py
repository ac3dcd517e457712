"""An import as work for a process of its own; a child imports no more than this."""

from __future__ import annotations

import io
from dataclasses import dataclass

from crm_model import Crm
from crm_model.entities import Customer
from platform_store import Platform


@dataclass(frozen=True)
class Import:
    """A file of customers, in batches of so many."""

    text: str
    batch_size: int = 1000

    def __call__(self, platform: Platform) -> object:
        file = io.BytesIO(self.text.encode())
        return Crm(platform, 1).import_csv(Customer, file, batch_size=self.batch_size).commit().rows

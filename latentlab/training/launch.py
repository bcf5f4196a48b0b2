"""Processes and devices of a training, with Lightning Fabric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from latentlab.errors import UserError, missing_package

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def launch(
    accelerator: str = "auto", devices: int | list[int] = 1, nodes: int = 1, precision: str = "32-true"
) -> Fabric:
    """Launch a Fabric; on several devices, given by number or index, it starts the other processes of the script.

    Raises
    ------
    UserError
        Lightning Fabric is not installed, or there are no such devices.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.utilities.exceptions import MisconfigurationException
    except ImportError as error:
        raise missing_package("training needs Lightning Fabric", "lightning-fabric") from error
    many = (devices if isinstance(devices, int) else len(devices)) * nodes > 1
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=precision,  # type: ignore[arg-type]
            strategy="ddp" if many else "auto",
        )
    except (MisconfigurationException, ImportError, RuntimeError, ValueError) as error:
        raise UserError(f"no training on {devices} of {accelerator!r}: {error}; take auto, or cpu") from error
    fabric.launch()
    return fabric


class FabricProcesses:
    """The processes of a Fabric, as `stylegan2.training.Processes`.

    Attributes
    ----------
    rank, count
        Number of this process, from 0, and number of all.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self.rank, self.count = fabric.global_rank, fabric.world_size

    def mean(self, x: Tensor) -> Tensor:
        """Mean of `x` over the processes."""
        if self.count == 1:
            return x
        found: Any = self._fabric.all_reduce(x, reduce_op="mean")
        mean: Tensor = found
        return mean

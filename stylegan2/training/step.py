"""One step of training: generator, path lengths, discriminator, gradient penalties, averages.

It is StyleGAN2's (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", appendix B), with what
its forerunners need from it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stylegan2.growing import GrowingDiscriminator
from stylegan2.layers import without_autocast
from stylegan2.progressive import ProgressiveGenerator
from stylegan2.protocol import image_size
from stylegan2.training import objectives, regularisers
from stylegan2.training.adaptive import EVERY, Augmentation
from stylegan2.training.augmentation import AugmentPipeline
from stylegan2.training.draws import Draws
from stylegan2.training.latents import drawn_codes
from stylegan2.training.levels import AnyDiscriminator, AnyGenerator, at_level, set_lod
from stylegan2.training.optimisers import Side, trained_weights
from stylegan2.training.processes import OneProcess, Processes, average_gradients
from stylegan2.training.settings import TrainingSettings

_WGAN_PENALTY = 10.0  # Gulrajani et al. 2017, section 4
_PATH_SHARE = 2  # path lengths are taken on a part of the batch, as they cost most

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Part:
    """A part of a step's samples, which passes through the networks at once.

    Attributes
    ----------
    images
        Real images `(b, c, h, w)`.
    labels
        Their conditions `(b, c_dim)`, which generated images get, too; None without.
    draws
        The randomness of these samples.
    """

    images: Tensor
    labels: Tensor | None
    draws: Draws

    def first(self, count: int) -> Part:
        """The first samples."""
        labels = None if self.labels is None else self.labels[:count]
        return Part(self.images[:count], labels, Draws(self.draws.seed, self.draws.numbers[:count]))


class GANTraining:
    """Generator and discriminator in training.

    Attributes
    ----------
    generator, discriminator
        The networks, on the device.
    mean
        The moving average of the generator, which is what training is for.
    settings
        Settings of the training.
    step, images_seen
        Steps taken, and real images that the discriminator was shown.
    augmentation
        Probability of augmentations.
    """

    def __init__(
        self,
        generator: AnyGenerator,
        discriminator: AnyDiscriminator,
        settings: TrainingSettings,
        device: torch.device | str = "cpu",
    ) -> None:
        """Begin, or prepare to continue; see `take`.

        Raises
        ------
        ValueError
            The networks do not belong together, or do not do what the settings ask.
        """
        check_networks(generator, discriminator, settings)
        self.device, self.settings = torch.device(device), settings
        self.generator: AnyGenerator = generator.to(self.device).train()
        self.discriminator: AnyDiscriminator = discriminator.to(self.device).train()
        self.mean = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.step, self.images_seen = 0, 0
        self.augmentation = Augmentation(settings, self.device)
        self._pipeline = AugmentPipeline(settings.pipeline)
        self._path_mean = torch.zeros((), device=self.device)
        self._paths = settings.path_weight > 0 and generator.num_ws > 0
        self._r1 = settings.r1_gamma > 0 and settings.objective == "logistic"
        rate = settings.learning_rate
        self._generating = Side(
            list(generator.parameters()), rate, settings.betas, settings.path_every if self._paths else None
        )
        self._judging = Side(
            trained_weights(discriminator, settings.freeze),
            rate * settings.discriminator_rate,
            settings.betas,
            settings.r1_every if self._r1 else None,
        )
        for network in (self.generator, self.discriminator):
            network.requires_grad_(False)
        self._set_level()

    # --- a step ---------------------------------------------------------------------------------------------

    def take_step(self, images: Tensor, labels: Tensor | None = None, processes: Processes | None = None) -> Losses:
        """Take a step.

        Parameters
        ----------
        images
            Real images of this process `(b, c, h, w)` in [-1, 1], b = batch_size / processes. Of the images of a step,
            process k has those numbered k, k + processes, …
        labels
            Their conditions `(b, c_dim)` for conditional networks.
        processes
            The processes; by default this one alone.

        Returns
        -------
        dict
            Losses and other figures by name, scalars on the device: means over this process's samples.

        Raises
        ------
        ValueError
            Images that are not this process's share of a batch, or do not fit the networks.
        """
        processes = processes or OneProcess()
        parts = self._parts(images, labels, processes)
        found: Losses = {}
        found |= self._update(self._generating, parts, self._generator_loss, processes)
        if self._paths and self.step % self.settings.path_every == 0:
            some = [part.first(max(1, len(part.images) // _PATH_SHARE)) for part in parts]
            found |= self._update(self._generating, some, self._path_loss, processes)
            lengths = processes.mean(found["path length"]).to(self._path_mean)
            self._path_mean = self._path_mean.lerp(lengths, regularisers.PATH_DECAY)
        found |= self._update(self._judging, parts, self._discriminator_loss, processes)
        if self._r1 and self.step % self.settings.r1_every == 0:
            found |= self._update(self._judging, parts, self._r1_loss, processes)
        self._follow(found, processes)
        return found

    def _parts(self, images: Tensor, labels: Tensor | None, processes: Processes) -> list[Part]:
        batch, passes, count = self.settings.batch_size, self.settings.passes, processes.count
        if len(images) * count != batch or len(images) % passes:
            raise ValueError(
                f"a step of {batch} images by {count} processes in {passes} passes has {batch / count:g} in each "
                f"process, a multiple of the passes, not {len(images)}"
            )
        numbers = range(self.images_seen + processes.rank, self.images_seen + batch, count)
        images = at_level(images.to(self.device), self.lod)
        found = []
        for k in range(passes):
            own = None if labels is None else labels[k::passes].to(self.device)
            found.append(Part(images[k::passes], own, Draws(self.settings.seed, numbers[k::passes])))
        return found

    def _update(
        self, side: Side, parts: list[Part], loss_of: Callable[[Part], tuple[Tensor, Losses]], processes: Processes
    ) -> Losses:
        """Take the gradients of a loss over all parts and processes, and update one of the networks with them."""
        side.learn(True)
        seen: dict[str, list[Tensor]] = {}
        for part in parts:
            loss, figures = loss_of(part)
            (loss / len(parts)).backward()  # type: ignore[no-untyped-call]
            for name, value in figures.items():
                seen.setdefault(name, []).append(value.detach())
        # What a loss does not depend on, such as biases in path lengths, is left alone: alike in all processes.
        average_gradients([weight for weight in side.weights if weight.grad is not None], processes)
        side.step()
        side.learn(False)
        return {name: torch.stack(values).mean(dim=0) for name, values in seen.items()}

    # --- losses ---------------------------------------------------------------------------------------------

    def _generator_loss(self, part: Part) -> tuple[Tensor, Losses]:
        with self._main_precision():
            images, w = self._generated(part, "generator")
            logits = self._judged(images, part, "generator: augmentation").float()
        loss = objectives.generator_loss(self.settings.objective, logits)
        means = {} if w is None else {"w": w.float().mean(dim=0)}
        return loss, {"generator": loss, **means}

    def _path_loss(self, part: Part) -> tuple[Tensor, Losses]:
        codes, _ = self._codes(part, "path")
        codes = codes.detach().requires_grad_() if not codes.requires_grad else codes
        images = self.generator.synthesis(codes, "random", part.draws.sources("path: noise"))
        y = part.draws.normal("path: y", *images.shape[1:]).to(images)
        lengths = regularisers.path_lengths(images, codes, y)
        loss = (lengths - self._path_mean).square().mean()
        weighted = loss * (self.settings.path_weight * self.settings.path_every)
        return weighted, {"path": loss, "path length": lengths.mean()}

    def _discriminator_loss(self, part: Part) -> tuple[Tensor, Losses]:
        objective = self.settings.objective
        with self._main_precision():
            with torch.no_grad():
                images, _ = self._generated(part, "discriminator")
            fake = self._judged(images, part, "discriminator: of generated").float()
            real = self._judged(part.images, part, "discriminator: of real").float()
        loss = objectives.discriminator_loss(objective, fake, real)
        figures = {"discriminator": loss, "fake": fake.mean(), "real": real.mean(), "sign": real.sign().mean()}
        if objective == "logistic":
            return loss, figures
        share = part.draws.uniform("penalty", 1, 1, 1).to(self.device)
        penalty = regularisers.gradient_penalty(
            lambda x: self.discriminator(x, part.labels), torch.lerp(part.images, images.float(), share)
        ).mean()
        return loss + _WGAN_PENALTY * penalty, {**figures, "penalty": penalty}

    def _r1_loss(self, part: Part) -> tuple[Tensor, Losses]:
        penalty = regularisers.r1_penalty(lambda x: self._judged(x, part, "discriminator: of real"), part.images).mean()
        return penalty * (self.settings.r1_gamma * self.settings.r1_every), {"r1": penalty}

    def _codes(self, part: Part, what: str) -> tuple[Tensor, Tensor | None]:
        return drawn_codes(self.generator, part.labels, part.draws, what, self.settings.style_mixing, self.device)

    def _generated(self, part: Part, what: str) -> tuple[Tensor, Tensor | None]:
        """Images of new codes, and their w before any mixing."""
        codes, w = self._codes(part, what)
        return self.generator.synthesis(codes, "random", part.draws.sources(f"{what}: noise")), w

    def _judged(self, images: Tensor, part: Part, what: str) -> Tensor:
        """Logits of images, which are augmented first."""
        if self.augmentation.used:
            with without_autocast(self.device):  # images keep their digits
                images = self._pipeline(images.float(), self.augmentation.probability, part.draws.sources(what))
        logits: Tensor = self.discriminator(images, part.labels)
        return logits

    def _main_precision(self) -> torch.autocast:
        half = self.settings.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)

    # --- what follows a step --------------------------------------------------------------------------------

    @torch.no_grad()
    def _follow(self, found: Losses, processes: Processes) -> None:
        """Move the averages, the probability and the level on."""
        if not isinstance(self.generator, ProgressiveGenerator):
            self.generator.mapping.update_w_avg(processes.mean(found.pop("w"))[None])
        self.step += 1
        self.images_seen += self.settings.batch_size
        decay = self.settings.ema_decay(self.images_seen)
        for mean, weight in zip(self.mean.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
        for kept, buffer in zip(self.mean.buffers(), self.generator.buffers(), strict=True):
            kept.copy_(buffer)
        self.augmentation.note(processes.mean(found["sign"]))
        if self.step % EVERY == 0:
            self.augmentation.steer()
        found["augmentation"] = self.augmentation.probability
        self._set_level()

    @property
    def lod(self) -> float:
        """Level of detail that the training is at: 0 for networks that have grown, or never do."""
        growth = self.settings.growth
        return 0.0 if growth is None else growth.lod(self.images_seen, self.generator.resolution)

    def _set_level(self) -> None:
        for network in (self.generator, self.discriminator, self.mean):
            set_lod(network, self.lod)

    # --- state ----------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """All that training needs to continue as if it had not been stopped, by name."""
        found: dict[str, Tensor] = {}
        for name, network in self._networks().items():
            found |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
        for name, side in self._sides().items():
            found |= {f"{name}.{key}": value for key, value in side.tensors().items()}
        counts = torch.tensor([self.step, self.images_seen])
        figures = {"probability": self.augmentation.probability, "signs": self.augmentation.signs}
        return {**found, **figures, "counts": counts, "path_mean": self._path_mean}

    @torch.no_grad()
    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what `tensors` returned.

        Raises
        ------
        ValueError
            They do not belong to a training run of these networks.
        """
        missing = [name for name in ("counts", "probability", "signs", "path_mean") if name not in tensors]
        if missing:
            raise ValueError(f"the state of the training lacks {', '.join(missing)}")
        for name, network in self._networks().items():
            try:
                network.load_state_dict(_under(tensors, name))
            except RuntimeError as error:
                raise ValueError(f"the {name} of the state is another network") from error
        for name, side in self._sides().items():
            side.take(_under(tensors, name))
        self.step, self.images_seen = (int(value) for value in tensors["counts"])
        self.augmentation.probability = tensors["probability"].to(self.device)
        self.augmentation.signs = tensors["signs"].to(self.device)
        self._path_mean = tensors["path_mean"].to(self.device)
        self._set_level()

    def _networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator, "mean": self.mean}

    def _sides(self) -> dict[str, Side]:
        return {"generating": self._generating, "judging": self._judging}


def check_networks(generator: AnyGenerator, discriminator: AnyDiscriminator, settings: TrainingSettings) -> None:
    """Refuse networks that cannot be trained together, or not with these settings.

    Raises
    ------
    ValueError
        The message says what does not fit.
    """
    for name in ("resolution", "c_dim"):
        one, other = getattr(generator, name), getattr(discriminator, name)
        if one != other:
            raise ValueError(f"the generator's {name} is {one}, the discriminator's {other}")
    sizes = [" × ".join(map(str, image_size(network))) for network in (generator, discriminator)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"the generator's images have {sizes[0]} pixels, the discriminator's {sizes[1]}")
    if isinstance(discriminator, GrowingDiscriminator) and discriminator.c_dim and not discriminator.config.blur:
        raise ValueError("the discriminator tells labels (AC-GAN), as which none is trained here: go on without it")
    made, judged = generator.img_channels, discriminator.config.img_channels
    if made != judged:
        raise ValueError(f"the generator's images have {made} channels, the discriminator's {judged}")
    if settings.growth is not None:
        for network in (generator, discriminator):
            set_lod(network, settings.growth.lod(0, generator.resolution))


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """What is under a name, by what follows it."""
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}

"""A step of a generator's training: losses and penalties in closed form, shares of processes, and going on."""

import copy
import threading

import pytest
import torch
from torch import nn

from stylegan2.growing import GrowingDiscriminator, GrowingDiscriminatorConfig
from stylegan2.training import GANTraining, Growth, TrainingSettings
from stylegan2.training.draws import Draws
from stylegan2.training.levels import at_level
from stylegan2.training.objectives import discriminator_loss, generator_loss
from stylegan2.training.optimisers import Side, trained_weights
from stylegan2.training.presets import PRESETS, Preset
from stylegan2.training.processes import average_gradients
from stylegan2.training.regularisers import gradient_penalty, path_lengths, r1_penalty
from tests.pretended import check_alike, on_cuda


def small(name="tiny", resolution=16, **changes):
    """A preset with networks of a few channels."""
    from dataclasses import replace

    changes = {"batch_size": 8, "r1_every": 2, "path_every": 2, **changes}
    preset = PRESETS[name](resolution, changes.pop("images", 800), c_dim=changes.pop("c_dim", 0), **changes)
    widths = {"channel_base": 64, "channel_max": 8}
    z = {"z_dim": 8} if name == "progressive" else {"z_dim": 8, "w_dim": 8}
    more = {"hidden_dim": 8, "mapping_layers": 2} if name == "stylegan" else {}
    return Preset(
        replace(preset.generator, **widths, **z, **more), replace(preset.discriminator, **widths), preset.settings
    )


def training(name="tiny", **changes):
    preset = small(name, **changes)
    return GANTraining(*preset.networks(), preset.settings)


def shown(count=8, resolution=16, seed=0):
    return torch.rand(count, 3, resolution, resolution, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def taken(own, steps=3, **more):
    return [own.take_step(shown(seed=own.step), **more) for _ in range(steps)]


class Bowl(nn.Module):
    """Logits whose gradients are known: half of a's square."""

    def forward(self, x, c=None):
        return (x.square().flatten(1).sum(dim=1, keepdim=True)) / 2


# --- losses and penalties -----------------------------------------------------------------------------------


def test_objectives_are_those_of_the_papers():
    fake, real = torch.tensor([[0.3], [-1.0]]), torch.tensor([[2.0], [0.1]])
    loss = -(torch.sigmoid(fake)).log().mean()
    torch.testing.assert_close(generator_loss("logistic", fake), loss)
    loss = -(torch.sigmoid(real)).log().mean() - (1 - torch.sigmoid(fake)).log().mean()
    torch.testing.assert_close(discriminator_loss("logistic", fake, real), loss)
    assert float(generator_loss("wgan-gp", fake)) == pytest.approx(0.35)
    assert float(discriminator_loss("wgan-gp", fake, real)) == pytest.approx(-0.35 - 1.05 + 1e-3 * 4.01 / 2)


def test_penalties_of_a_bowl():
    x = shown(3, 4)
    squared = x.square().sum(dim=(1, 2, 3))
    torch.testing.assert_close(r1_penalty(Bowl(), x), squared / 2)
    torch.testing.assert_close(gradient_penalty(Bowl(), x), (squared.sqrt() - 1).square())


def differences(measured, weight, size=1e-5):
    """What a value changes by along a small random step of a weight, and what its gradient says."""
    (gradient,) = torch.autograd.grad(measured(), weight)
    step, found = size * torch.randn_like(weight), []
    for sign in (1, -2):
        with torch.no_grad():
            weight += sign * step
        found.append(float(measured().detach()))
    return (found[0] - found[1]) / 2, float((gradient * step).sum())


@pytest.fixture
def smooth(monkeypatch):
    """Activations without kinks, at which gradients of gradients jump."""
    monkeypatch.setattr(torch.nn.functional, "leaky_relu", lambda x, slope, inplace=False: torch.nn.functional.silu(x))


@pytest.mark.parametrize("name", ["tiny", "stylegan"])
@pytest.mark.parametrize("layer", ["b16.fromrgb", "b16.conv0", "b16.conv1", "b4.conv", "b4.fc"])
def test_r1_has_the_gradient_of_differences(smooth, name, layer):
    torch.manual_seed(0)
    network, x = small(name).networks()[1].double(), shown(4).double()
    if name == "stylegan":
        network.lod = 0.0
    weight = network.get_parameter(f"{layer}.weight")
    found, wanted = differences(lambda: r1_penalty(network, x).mean(), weight)
    assert found == pytest.approx(wanted, rel=1e-4)


def test_path_lengths_of_a_linear_map():
    torch.manual_seed(0)
    ws, matrix, y = torch.randn(2, 3, 5, requires_grad=True), torch.randn(5, 12), torch.randn(2, 3, 2, 2)
    images = (ws.sum(dim=1) @ matrix).reshape(2, 3, 2, 2)
    wanted = (y.flatten(1) / 2 @ matrix.T).norm(dim=1)  # of each of the rows, so of their mean
    torch.testing.assert_close(path_lengths(images, ws, y), wanted)


@pytest.mark.parametrize("name", ["tiny", "stylegan"])
def test_path_lengths_of_a_generator_have_the_gradient_of_differences(smooth, name):
    torch.manual_seed(0)
    network = small(name).networks()[0].double()
    z, y = torch.randn(3, 8).double(), torch.randn(3, 3, 16, 16).double()
    weight = network.get_parameter("synthesis.b8.conv1.weight" if name == "tiny" else "synthesis.b8.conv1.conv.weight")

    def measured():
        ws = network.mapping(z)
        return path_lengths(network.synthesis(ws, "none"), ws, y).square().mean()

    found, wanted = differences(measured, weight)
    assert found == pytest.approx(wanted, rel=1e-4)


def test_lazy_regularisation_corrects_the_optimiser():
    weight = nn.Parameter(torch.ones(2))
    (group,) = Side([weight], 0.01, (0.5, 0.99), 3)._adam.param_groups
    assert group["lr"] == pytest.approx(0.0075) and group["betas"] == pytest.approx((0.5**0.75, 0.99**0.75))


# --- a step -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiny", "stylegan", "progressive"])
def test_every_weight_learns_and_the_mean_follows(name):
    changes = {} if name == "tiny" else {"growth": None}
    own = training(name, augment=0.5, pipeline="bgcfnc", **changes)
    before = {k: v.clone() for k, v in own.tensors().items()}
    losses = taken(own, 4)
    after = own.tensors()
    for key in before:
        moved = not torch.equal(before[key], after[key])
        learns = key.startswith(("generator.", "discriminator.")) and key.endswith((".weight", ".bias"))
        # Noise is added by a weight that is 0 at first; labels of the levels below are not there without growth.
        below = "torgb" in key or "fromrgb" in key
        if learns and not (name != "tiny" and below):
            assert moved, key
    assert all(torch.isfinite(value) for found in losses for value in found.values())
    assert {"generator", "discriminator", "real", "fake", "augmentation"} <= set(losses[0])
    assert ("path" in losses[0], "r1" in losses[0]) == {"tiny": (True, True), "stylegan": (False, True)}.get(
        name, (False, False)
    )
    assert "path" not in losses[1] and "r1" not in losses[1]
    key = next(key for key in before if key.startswith("mean.") and "b8.conv1" in key and key.endswith("weight"))
    assert not torch.equal(before[key], after[key]) and not torch.equal(
        after[key], after[key.replace("mean", "generator")]
    )


def test_the_mean_is_the_mean_of_the_paper():
    own = training(ema_images=16.0, ema_rampup=None)
    kept = {name: value.clone() for name, value in own.mean.named_parameters()}
    for _ in range(2):
        own.take_step(shown(seed=own.step))
        for name, value in own.generator.named_parameters():
            kept[name].lerp_(value.detach(), 1 - 0.5 ** (8 / 16))
    for name, value in own.mean.named_parameters():
        torch.testing.assert_close(value, kept[name])


def test_a_training_goes_on_to_the_same_bits():
    own, again = training(augment="adaptive"), training(augment="adaptive")
    taken(own, 3)
    again.take(copy.deepcopy(own.tensors()))
    taken(own, 3), taken(again, 3)
    found, wanted = again.tensors(), own.tensors()
    assert found.keys() == wanted.keys() and [k for k in wanted if not torch.equal(found[k], wanted[k])] == []


def test_the_global_generator_has_no_say():
    own, again = training(augment=0.5, pipeline="bgcfnc"), training(augment=0.5, pipeline="bgcfnc")
    torch.manual_seed(1), taken(own, 2)
    torch.manual_seed(2), taken(again, 2)
    assert all(torch.equal(value, again.tensors()[key]) for key, value in own.tensors().items())


class Together:
    """Processes as threads, which wait for each other."""

    def __init__(self, rank, count, shared):
        self.rank, self.count, self._shared = rank, count, shared

    def mean(self, x):
        values, barrier = self._shared
        values[self.rank] = x
        barrier.wait()
        mean = torch.stack(list(values)).mean(dim=0)
        barrier.wait()
        return mean


def in_float64(**changes):
    """A training in which sums in another order are as good as the same."""
    preset = small(**changes)
    return GANTraining(*(network.double() for network in preset.networks()), preset.settings)


@pytest.mark.parametrize("passes", [1, 2])
def test_two_processes_and_passes_give_what_one_gives(passes):
    # With a first probability above 0, and a target below all signs, the probability goes up.
    changes = {"augment": "adaptive", "augment_images": 400, "augment_target": 0.0, "batch_size": 16}
    alone, *both = (in_float64(**changes, passes=count) for count in (1, passes, passes))
    shared = [None, None], threading.Barrier(2)

    def work(own):
        with torch.random.fork_rng():
            for step in range(4):
                images = shown(16, seed=step)
                rank = both.index(own)
                own.take_step(images[rank::2], processes=Together(rank, 2, shared))

    threads = [threading.Thread(target=work, args=(own,)) for own in both]
    [thread.start() for thread in threads]
    for step in range(4):
        alone.take_step(shown(16, seed=step))
    [thread.join() for thread in threads]
    wanted = alone.tensors()
    for own in both:
        for key, value in own.tensors().items():
            torch.testing.assert_close(value.double(), wanted[key].double(), atol=1e-6, rtol=1e-4, msg=key)
    assert wanted["probability"] != 0 and wanted["signs"].tolist() == [0, 0]


def test_shares_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a step of 8 images by 1 processes in 1 passes has 8 in each process"):
        training().take_step(shown(4))


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("tiny", ("generator.mapping.embed.weight", "discriminator.mapping.embed.weight")),
        ("stylegan", ("generator.mapping.label_weight", "discriminator.b4.out.weight")),
    ],
)
def test_labels_reach_both_networks(name, weights):
    own = training(name, c_dim=3)
    labels = torch.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    other = training(name, c_dim=3)
    own.take_step(shown(), labels)
    other.take_step(shown(), labels.roll(1, 0))
    for weight in weights:
        assert not torch.equal(own.tensors()[weight], other.tensors()[weight])
    with pytest.raises(ValueError, match="needs c"):
        training(name, c_dim=3).take_step(shown())


def test_frozen_layers_stay():
    own = training(freeze=4)
    before = {name: value.clone() for name, value in own.discriminator.named_parameters()}
    taken(own, 2)
    stayed = {name for name, value in own.discriminator.named_parameters() if torch.equal(value, before[name])}
    first = ("b16.fromrgb", "b16.conv0", "b16.conv1", "b16.skip")
    assert stayed == {name for name in before if name.startswith(first)}
    with pytest.raises(ValueError, match="has 10 layers, so at most 9 can be frozen"):
        trained_weights(own.discriminator, 10)


def test_the_probability_follows_the_signs():
    for real, wanted in ((3.0, 1), (-3.0, 0), (0.0, 0)):
        own = training(augment="adaptive", augment_images=320)
        for _ in range(4):
            own.augmentation.note(torch.tensor(real).sign())
        own.augmentation.steer()
        assert float(own.augmentation.probability) == pytest.approx(wanted * 8 * 4 / 320)
        assert own.augmentation.signs.tolist() == [0, 0]
    fixed = training(augment=0.3)
    fixed.augmentation.note(torch.ones(())), fixed.augmentation.steer()
    assert float(fixed.augmentation.probability) == pytest.approx(0.3)


def test_noise_and_codes_depend_on_the_number_of_a_sample_alone():
    whole, part = Draws(3, range(10, 14)), Draws(3, [12])
    assert torch.equal(whole.normal("z", 5)[2], part.normal("z", 5)[0])
    assert not torch.equal(whole.normal("z", 5), Draws(3, range(10, 14)).normal("other", 5))
    assert not torch.equal(whole.normal("z", 5), Draws(-3, range(10, 14)).normal("z", 5))
    generator = small().networks()[0]
    for _, parameter in generator.named_parameters():
        if parameter.dim() == 0:
            parameter.data.fill_(0.5)
    ws = generator.mapping(torch.randn(4, 8))
    images = generator.synthesis(ws, "random", whole.sources("noise"))
    alone = generator.synthesis(ws[2:3], "random", part.sources("noise"))
    torch.testing.assert_close(images[2:3], alone, atol=1e-5, rtol=0)
    assert not torch.equal(images, generator.synthesis(ws, "random", Draws(4, range(10, 14)).sources("noise")))


def test_half_precision_is_nearly_the_same():
    whole, half = training(), training(precision="bfloat16")
    one, other = whole.take_step(shown()), half.take_step(shown())
    for name in ("generator", "discriminator"):
        assert float(other[name]) == pytest.approx(float(one[name]), rel=0.05) and other[name] != one[name]
    assert all(weight.dtype == torch.float32 for weight in half.generator.parameters())


def test_a_generator_learns_colours():
    """Images of two colours: after some steps the mean generator's are near these, and not at first."""
    own = training(
        resolution=8, learning_rate=0.02, ema_images=100, ema_rampup=None, r1_gamma=1.0, path_weight=0.0, r1_every=4
    )
    colours = torch.tensor([[0.8, -0.6, -0.6], [-0.6, -0.6, 0.8]])
    z = torch.randn(64, 8, generator=torch.Generator().manual_seed(5))

    def distance():
        with torch.no_grad():
            made = own.mean(z).mean(dim=(2, 3))
        return float((made[:, None] - colours).square().sum(dim=2).min(dim=1).values.mean())

    before = distance()
    for step in range(70):
        which = torch.randint(2, (8,), generator=torch.Generator().manual_seed(step))
        own.take_step(colours[which][:, :, None, None].expand(-1, -1, 8, 8))
    assert distance() < 0.4 * before


# --- growing ------------------------------------------------------------------------------------------------


def test_levels_come_as_planned():
    growth = Growth(start=4, stay=10, fade=20)
    plan = {0: 2, 9: 2, 10: 2, 20: 1.5, 29: 1.05, 30: 1, 40: 1, 50: 0.5, 60: 0, 1000: 0}
    assert {images: growth.lod(images, 16) for images in plan} == pytest.approx(plan)


def test_real_images_are_shown_as_their_level_is():
    x = shown(2, 8)
    assert torch.equal(at_level(x, 0.0), x)
    small_ones = torch.nn.functional.avg_pool2d(x, 2)
    torch.testing.assert_close(at_level(x, 1.0), small_ones.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(at_level(x, 0.25), torch.lerp(at_level(x, 1.0), x, 0.75))


@pytest.mark.parametrize("name", ["stylegan", "progressive"])
def test_networks_grow_and_go_on_growing(name):
    changes = {"growth": Growth(start=4, stay=8, fade=16), "batch_size": 8}
    own = training(name, **changes)
    levels = []
    finest = f"generator.synthesis.b16.conv1.{'' if name == 'progressive' else 'conv.'}weight"
    first = own.tensors()[finest].clone()
    for _ in range(7):
        levels.append(own.lod)
        taken(own, 1)
        assert own.generator.lod == own.discriminator.lod == own.mean.lod == own.lod
        if own.step == 3:
            stopped = copy.deepcopy(own.tensors())
    assert levels == [2, 2, 1.5, 1, 1, 0.5, 0]
    assert not torch.equal(first, own.tensors()[finest])
    again = training(name, **changes)
    again.take(stopped)
    taken(again, 4)
    assert all(torch.equal(value, again.tensors()[key]) for key, value in own.tensors().items())


def test_networks_that_do_not_grow_are_refused():
    with pytest.raises(ValueError, match="a Generator does not grow: train it without growth"):
        training(growth=Growth(start=4))


# --- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": 0}, "images must be a whole number from 1"),
        ({"batch_size": 9, "passes": 2}, "a batch of 9 does not divide into 2 passes"),
        ({"learning_rate": 0.0}, "learning_rate and discriminator_rate must not be 0"),
        ({"r1_gamma": float("nan")}, "r1_gamma must be a finite number"),
        ({"betas": (0.0, 1.0)}, "betas must be two numbers from 0, below 1"),
        ({"objective": "hinge"}, "objective must be logistic or wgan-gp"),
        ({"augment": "some"}, "augment must be none, adaptive or a probability"),
        ({"augment": 1.5}, "augment must be a finite number from 0 to 1"),
        ({"precision": "half"}, "precision must be float32 or bfloat16"),
        ({"style_mixing": -0.1}, "style_mixing must be a finite number from 0 to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**{"images": 100, **changes})


def test_presets_are_those_of_the_papers():
    auto = PRESETS["auto"](256, 1000)
    assert auto.settings.batch_size == 16 and auto.settings.r1_gamma == pytest.approx(0.8192)
    assert (auto.generator.mapping_layers, auto.generator.channels(256)) == (2, 64)
    paper = PRESETS["paper256"](256, 1000, c_dim=3, seed=4)
    assert (paper.settings.batch_size, paper.settings.ema_images, paper.settings.seed) == (64, 20_000, 4)
    assert (paper.discriminator.mbstd_group_size, paper.discriminator.c_dim, paper.generator.c_dim) == (8, 3, 3)
    with pytest.raises(ValueError, match="images of 256 pixels, not 128"):
        PRESETS["paper256"](128, 1000)
    assert PRESETS["stylegan"](64, 1000, c_dim=2).networks()[0].c_dim == 2
    with pytest.raises(ValueError, match="Progressive GAN is trained without labels here"):
        PRESETS["progressive"](64, 1000, c_dim=2)


def test_networks_that_do_not_belong_together_are_refused():
    (generator, _), preset = small().networks(), small()
    for other, message in (
        (small(resolution=8).networks()[1], "generator's resolution is 16, the discriminator's 8"),
        (small(c_dim=2).networks()[1], "generator's c_dim is 0, the discriminator's 2"),
    ):
        with pytest.raises(ValueError, match=message):
            GANTraining(generator, other, preset.settings)
    telling = GrowingDiscriminator(GrowingDiscriminatorConfig(16, blur=False, c_dim=2))
    with pytest.raises(ValueError, match="the discriminator tells labels"):
        GANTraining(small(c_dim=2).networks()[0], telling, preset.settings)


def test_states_of_others_are_refused():
    own = training()
    taken(own, 1)
    state = own.tensors()
    with pytest.raises(ValueError, match="lacks counts"):
        training().take({name: value for name, value in state.items() if name != "counts"})
    with pytest.raises(ValueError, match="the generator of the state is another network"):
        training(resolution=8).take(state)
    with pytest.raises(ValueError, match="memory does not fit its weight 0"):
        training().take({name: value for name, value in state.items() if name != "judging.0.step"})


def test_gradients_of_processes_are_averaged():
    class Two:
        rank, count = 0, 2

        def mean(self, x):
            return x / 2

    weights = [nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(4))]
    weights[0].grad = torch.full((2, 3), 4.0)
    average_gradients(weights, Two())
    assert torch.equal(weights[0].grad, torch.full((2, 3), 2.0)) and torch.equal(weights[1].grad, torch.zeros(4))


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("name", ["tiny", "stylegan", "progressive"])
def test_a_gpu_takes_the_steps_of_the_cpu(name):
    preset = small(name)
    here = GANTraining(*(network.double() for network in preset.networks()), preset.settings)
    there = GANTraining(*(on_cuda(network.double()) for network in preset.networks()), preset.settings, "cuda")
    for step in range(2):
        wanted, found = here.take_step(shown(seed=step)), there.take_step(on_cuda(shown(seed=step)))
        check_alike(found, wanted, 1e-5)


@pytest.mark.usefixtures("cuda")
def test_a_gpu_augments_in_the_steps():
    preset = small(augment=0.5, pipeline="bgcfnc")
    own = GANTraining(*(on_cuda(network) for network in preset.networks()), preset.settings, "cuda")
    own.take_step(on_cuda(shown()))
    # Adam counts its steps on the CPU, unless it is fused.
    here = {name for name, value in own.tensors().items() if value.device.type == "cpu" and not name.endswith(".step")}
    assert here == {"counts"}

"""What makes training fast changes no result: norms, padding, joined passes, optimisers, losses read late."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from latentlab.errors import UserError
from latentlab.training import FabricProcesses, RecentLosses
from latentlab.translation.data.sources import collate
from latentlab.translation.methods import CycleGANConfig, load_method
from latentlab.translation.networks import PatchConfig, ResNetConfig
from latentlab.translation.networks.layers import InstanceNorm, ReflectConv
from latentlab.translation.networks.passes import run_on_each, sees_images_alone
from latentlab.translation.training import TrainingSettings, launch, take_step, train
from latentlab.translation.training.sampler import BatchSampler, load_batches
from latentlab.translation.training.state import StateFolder, TrainingState
from stylegan2.training.processes import average_gradients
from tests.latentlab.translation.toys import Toy

SMALL = CycleGANConfig(ResNetConfig(1, 4), PatchConfig(16, 4), pool_size=0)


def channels_last(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype).to(memory_format=torch.channels_last)


# --- layers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("affine", [False, True])
def test_the_instance_norm_is_torchs_with_its_first_and_second_derivatives(count, affine):
    norm = InstanceNorm(6, affine=affine).double()
    for weight in norm.parameters():
        nn.init.normal_(weight)
    x = (3 + 2 * channels_last(count, 6, 5, 4)).requires_grad_()
    one, other = norm(x), F.instance_norm(x, weight=norm.weight, bias=norm.bias)
    torch.testing.assert_close(one, other)
    assert one.is_contiguous(memory_format=torch.channels_last)
    towards, inputs = torch.randn_like(other), [x, *norm.parameters()]
    gradients = [torch.autograd.grad(y, inputs, towards, create_graph=True) for y in (one, other)]
    torch.testing.assert_close(*gradients)
    second = [torch.autograd.grad(g[0].square().sum(), x)[0] for g in gradients]
    torch.testing.assert_close(*second)


@pytest.mark.parametrize("network", [ResNetConfig(1, 4), PatchConfig(16, 4)])
def test_gradients_do_not_depend_on_the_layout(network):
    """Torch's instance norm gave wrong ones of a single image in `channels_last`."""
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        built = network.build().double().to(memory_format=layout)
        built(torch.rand(1, 3, 16, 16).double().to(memory_format=layout)).square().mean().backward()
        found.append([weight.grad for weight in built.parameters() if weight.requires_grad])
    torch.testing.assert_close(*found)


def test_the_instance_norm_of_bfloat16_has_statistics_in_float32():
    """Far from 0 those of bfloat16 are off by much of a standard deviation."""
    x = (20 + channels_last(2, 8, 16, 16, dtype=torch.float32)).bfloat16()
    wanted = F.instance_norm(x.double())
    assert (InstanceNorm(8)(x).double() - wanted).abs().max() < 0.02


def test_an_instance_of_one_pixel_is_refused_and_no_images_are_none():
    with pytest.raises(ValueError, match="more than 1"):
        InstanceNorm(4)(torch.zeros(1, 4, 1, 1))
    assert InstanceNorm(4)(torch.zeros(0, 4, 2, 2)).shape == (0, 4, 2, 2)


def test_the_reflected_convolution_is_torchs_and_stays_in_half_precision():
    one, other = ReflectConv(3, 4, 7), nn.Conv2d(3, 4, 7, padding=3, padding_mode="reflect")
    other.load_state_dict(one.state_dict())
    x = channels_last(2, 3, 9, 8, dtype=torch.float32)
    torch.testing.assert_close(one(x), other(x))
    assert repr(one) == repr(other).replace("Conv2d", "ReflectConv")
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(one(x), other(x))


# --- passes -------------------------------------------------------------------------------------------------


def test_batches_are_joined_where_images_are_seen_alone():
    seen = []
    alone, chance = ResNetConfig(1, 4).build(), ResNetConfig(1, 4, dropout=True).build()
    for network in (alone, chance):
        network.register_forward_hook(lambda network, given, made: seen.append(len(given[0])))
    a, b = torch.rand(2, 3, 16, 16), torch.rand(1, 3, 16, 16)
    together = run_on_each(alone, [a], [b])
    torch.testing.assert_close(together, [alone(a), alone(b)])
    assert seen == [3, 2, 1]
    run_on_each(chance, [a], [b])
    run_on_each(alone, [a], [torch.rand(1, 3, 24, 24)])
    assert seen[3:] == [2, 1, 2, 1]
    assert run_on_each(lambda x: x.sum(), [torch.ones(2)], [torch.ones(3)]) == [2, 3]


@pytest.mark.parametrize(("norm", "alone"), [("instance", True), ("batch", False), ("spectral", False)])
def test_what_sees_images_alone(norm, alone):
    assert sees_images_alone(PatchConfig(16, 4, norm=norm, scales=2).build()) is alone


@pytest.mark.parametrize("name", ["cyclegan", "instagan", "cut"])
def test_joined_passes_change_no_loss_and_no_gradient(name, monkeypatch):
    kind = torch.float32 if name == "instagan" else torch.float64  # it goes by float32 itself
    config = load_method(name).configure(32, 4)
    toy = Toy(4, 32, config.masks_per_image)
    batch = collate([toy.sample(k, None) for k in (1, 2)])

    def gradients():
        method, found = config.build(), []
        method.networks.to(kind)
        given = {key: value.to(kind) for key, value in batch.items()}
        for step in method.optimiser_steps(given, torch.Generator().manual_seed(0)):
            weights = [w for w in method.parameters_of(step.optimiser) if w.requires_grad]
            found.append((step.loss.detach(), torch.autograd.grad(step.loss, weights, allow_unused=True)))
        return found

    joined = gradients()
    monkeypatch.setattr("latentlab.translation.networks.passes.sees_images_alone", lambda network: False)
    tolerance = {"rtol": 1e-3, "atol": 1e-4} if kind == torch.float32 else {}
    torch.testing.assert_close(joined, gradients(), **tolerance)


# --- steps --------------------------------------------------------------------------------------------------


def test_biases_that_a_norm_takes_away_stay_and_all_other_weights_learn():
    state = TrainingState(SMALL.build(), TrainingSettings())
    before = {name: value.clone() for name, value in state.method.networks.named_parameters()}
    take_step(launch("cpu"), state, [Toy().sample(0, None)], 2e-4)
    changed = {name: not torch.equal(before[name], w) for name, w in state.method.networks.named_parameters()}
    left = {name for name, moved in changed.items() if not moved}
    assert left == {name for name, w in state.method.networks.named_parameters() if not w.requires_grad}
    assert all(name.endswith("bias") for name in left)
    assert "G_A.decoder.head.bias" not in left and "D_A.head.bias" not in left and "D_A.stem.bias" not in left


def test_gradients_and_moments_lie_like_their_weights(tmp_path):
    """A fused optimiser takes them in the order of their memory."""

    class Two:
        global_rank, world_size = 0, 2

        def all_reduce(self, value, reduce_op):
            return value

    state = TrainingState(SMALL.build(), TrainingSettings())
    state.method.networks.to(memory_format=torch.channels_last)
    take_step(launch("cpu"), state, [Toy().sample(0, None)], 2e-4)
    for weight in state.method.networks.parameters():
        assert weight.grad is None or weight.grad.stride() == weight.stride()
    StateFolder(tmp_path, {"settings": {"epochs": 1}, "data": {}}, 0, 1, lambda: None).save(state)
    again = TrainingState(SMALL.build(), TrainingSettings())
    again.method.networks.to(memory_format=torch.channels_last)
    StateFolder(tmp_path, {"settings": {"epochs": 1}, "data": {}}, 0, 1, lambda: None).load(again)
    for name, optimiser in again.optimisers.items():
        for weight, former in zip(again.method.parameters_of(name), state.method.parameters_of(name), strict=True):
            if former.requires_grad:
                moments, own = optimiser.state[weight], state.optimisers[name].state[former]
                for moment in ("exp_avg", "exp_avg_sq"):
                    assert moments[moment].stride() == weight.stride()
                    assert torch.equal(moments[moment], own[moment])
                assert float(moments["step"]) == 1
    weights = [w for w in state.method.parameters_of("generator") if w.requires_grad]
    wanted = [w.grad.clone() for w in weights]
    average_gradients(weights, FabricProcesses(Two()))
    for weight, gradient in zip(weights, wanted, strict=True):
        assert weight.grad.stride() == weight.stride() and torch.equal(weight.grad, gradient)


def test_the_fused_optimiser_steps_like_the_plain_one():
    steps = []
    for fused in (True, False):
        state = TrainingState(SMALL.build(), TrainingSettings())
        state.method.networks.to(memory_format=torch.channels_last)
        if not fused:
            for optimiser in state.optimisers.values():
                optimiser.param_groups[0]["fused"] = False
        for k in range(3):
            losses = take_step(launch("cpu"), state, [Toy().sample(k, None)], 2e-4)
        steps.append([value for own in losses.values() for value in own.values()])
    torch.testing.assert_close(*steps, rtol=1e-4, atol=1e-5)


# --- data ---------------------------------------------------------------------------------------------------


def test_batches_read_ahead_are_the_same_in_the_same_order_wherever_they_begin():
    settings = TrainingSettings(batch_size=2)
    plain, ahead, resumed = (
        list(load_batches(Toy(7), BatchSampler(settings, 6, start, 0, 1), 0, ahead=ahead))
        for start, ahead in ((0, False), (0, True), (4, True))
    )
    assert len(ahead) == 6
    for one, other in zip([*plain, *plain[4:]], [*ahead, *resumed], strict=True):
        assert torch.equal(one["a"], other["a"])


def test_what_goes_wrong_in_reading_ahead_is_told():
    class Broken(Toy):
        def sample(self, index, rng):
            raise UserError("cannot read it")

    with pytest.raises(UserError, match="cannot read it"):
        next(load_batches(Broken(7), BatchSampler(TrainingSettings(), 6, 0, 0, 1), 0, ahead=True))


# --- losses -------------------------------------------------------------------------------------------------


class Far(torch.Tensor):
    """Scalar that claims to lie on a GPU."""

    @property
    def device(self):
        return torch.device("cuda")


def test_losses_far_away_are_read_together_and_have_the_same_means():
    near, far = RecentLosses(), RecentLosses()
    for k in range(3):
        losses = {"generator": {"gan": torch.tensor(1.0 + k)}, "discriminator": {"d": torch.tensor(2.0)} if k else {}}
        near.add(k + 1, losses)
        far.add(k + 1, {name: {n: v.as_subclass(Far) for n, v in own.items()} for name, own in losses.items()})
    assert far.totals == {} and far.note == "" and near.totals == {"gan": (6.0, 3), "d": (4.0, 2)}
    far.read()
    assert far.means() == near.means() == {"gan": 2.0, "d": 2.0}
    assert far.note == near.note == "generator 3, discriminator 2"


def test_a_loss_that_is_not_finite_is_named_with_its_step():
    recent = RecentLosses()
    for k, value in enumerate((1.0, float("inf"), 2.0)):
        recent._unread.append((k + 1, {"generator": {"gan": torch.tensor(value)}}))
    with pytest.raises(UserError, match="diverged at step 1: gan is inf; lower"):
        recent.read()


def test_no_state_is_kept_of_a_training_that_diverged(tmp_path, monkeypatch):
    class Broken(Toy):
        def sample(self, index, rng):
            return {"a": torch.full((1, 3, 16, 16), float("nan")), "b": torch.zeros(1, 3, 16, 16)}

    monkeypatch.setattr("latentlab.translation.training.loop.SAVE_SECONDS", 0.0)
    with pytest.raises(UserError, match="diverged at step 0"):
        train(SMALL, Broken(4), replace(TrainingSettings(), epochs=1), tmp_path)
    assert not list(tmp_path.glob("state/step-*"))

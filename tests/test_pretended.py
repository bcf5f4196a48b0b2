"""The pretended CUDA device: it refuses what a real one refuses, and counts as the CPU does."""

import pytest
import torch
from torch import nn

from tests.pretended import CUDA, check_alike, on_cuda

pytestmark = pytest.mark.usefixtures("cuda")


def there(*size: int) -> torch.Tensor:
    return torch.ones(*size, device="cuda")


REFUSED = {
    "a sum": (lambda: there(3) + torch.ones(3), "same device"),
    "a sum in place": (lambda: torch.ones(3).add_(there(3)), "same device"),
    "a sum with a number of the device": (lambda: torch.ones(3) + there(1)[0], "same device"),
    "a product": (lambda: there(3, 3) @ torch.ones(3, 3), "same device"),
    "a list": (lambda: torch.cat([there(3), torch.ones(3)]), "same device"),
    "a convolution": (lambda: nn.functional.conv2d(there(1, 3, 8, 8), torch.ones(2, 3, 3, 3)), "same device"),
    "gather": (lambda: there(3).gather(0, torch.zeros(1, dtype=torch.long)), "same device"),
    "indices": (lambda: torch.ones(3)[there(2).long()], "indices should be"),
    "values": (lambda: there(3).index_put_((torch.tensor([0, 1]),), torch.ones(2)), "same device"),
    "a generator": (lambda: torch.randn(3, generator=torch.Generator(), device="cuda"), "'cuda' device type"),
    "an array": (lambda: there(3).numpy(), "numpy"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mixtures_are_refused(name):
    act, words = REFUSED[name]
    with pytest.raises(RuntimeError, match=words):
        act()


def test_what_a_gpu_takes_is_taken():
    x = torch.arange(6.0, device="cuda").reshape(2, 3)
    assert (x + torch.tensor(1.0)).device.type == "cuda"  # single numbers of the CPU
    assert x[torch.tensor([0])].device.type == "cuda"  # its indices
    x[1] = torch.zeros(3)  # copies
    assert x.cpu().numpy().tolist() == x.tolist() == [[0, 1, 2], [0, 0, 0]]
    assert float(x.sum()) == 3 and bool(x.any()) and len(x.nonzero()) == 2 and x[x > 0].tolist() == [1, 2]
    assert torch.from_numpy(x.cpu().numpy()).to(x).device == x.device


def test_tensors_of_the_cpu_stay_plain():
    assert type(torch.ones(3)) is type(there(3).cpu()) is torch.Tensor
    assert torch.ones(3).numpy().sum() == 3


def test_inference_and_autocast():
    layer = on_cuda(nn.Linear(3, 3))
    with torch.inference_mode():
        made = layer(there(2, 3))
        assert made.cpu().numpy().shape == (2, 3)
    assert made.device.type == "cuda" and type(made.cpu()) is torch.Tensor
    with torch.autocast("cuda", torch.bfloat16):
        assert layer(there(2, 3)).dtype is torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(there(2, 3)).dtype is torch.float32


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))


def test_gradients_are_those_of_the_cpu():
    x, here = torch.randn(2, 3, 8, 8), network()
    far = on_cuda(here)
    for _ in range(2):  # they add up
        torch.autograd.backward(far(on_cuda(x)).square().sum())
        torch.autograd.backward(here(x).square().sum(), inputs=list(here.parameters()))
    check_alike([p.grad for p in far.parameters()], [p.grad for p in here.parameters()])


def test_gradients_of_gradients():
    found = []
    for x in (torch.linspace(-1, 1, 5), on_cuda(torch.linspace(-1, 1, 5))):
        free = x.requires_grad_()
        y = free.expand(3, 5).clone()
        y[1] = free**3  # in place
        (slope,) = torch.autograd.grad((y**2).sum(), free, create_graph=True)
        found += torch.autograd.grad(slope.square().sum(), free)
    check_alike(found[1], found[0])
    other = torch.ones(2, requires_grad=True)
    assert torch.autograd.grad(free.sum(), [free, other], allow_unused=True)[1] is None


def test_gradients_come_back_to_the_cpu():
    x = torch.ones(3, requires_grad=True)
    torch.autograd.backward((x.to("cuda") * 2).sum())
    assert type(x.grad) is torch.Tensor and x.grad.tolist() == [2, 2, 2]


def test_optimisers_step():
    layers = [nn.Linear(3, 1), on_cuda(nn.Linear(3, 1))]
    layers[1].load_state_dict(layers[0].state_dict())
    for layer in layers:
        optimiser = torch.optim.Adam(layer.parameters(), 0.1)
        torch.autograd.backward(layer(torch.ones(2, 3).to(layer.weight.device)).sum())
        optimiser.step()
        assert optimiser.state[layer.weight]["exp_avg"].device == layer.weight.device
    check_alike(layers[1].weight, layers[0].weight)


def test_outside_of_it_there_is_no_such_device():
    with CUDA:
        x = there(3)
    assert x.device.type == "cuda"

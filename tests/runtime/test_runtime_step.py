"""The numbers of a step: at once on the CPU, two steps later from an accelerator (played by the meta device)."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from autocal_cli.runtime.signals import StepNumbers


def value(number):
    return torch.tensor(float(number), requires_grad=True)


class FromAccelerator(StepNumbers):
    """Sends rows of the meta device, which holds no values; what arrives is 10, 20, ... by step."""

    sent = 0

    def _to_host(self, row):
        assert row.shape == (len(self.names),)
        self.sent += 1
        return torch.full(row.shape, 10.0 * self.sent), None


def steps(numbers, count, first=1):
    """What is due after each of `count` steps, in which `a` is met twice and `b` never."""
    due = []
    for iteration in range(first, first + count):
        for _ in range(2):
            numbers.add("a", torch.empty((), device="meta"))
        due.append(numbers.close(iteration))
    return due


def test_on_the_cpu_means_over_passes_are_there_at_once_and_what_was_not_met_is_left_out():
    numbers = StepNumbers(["a", "b", "c"])
    for name, number in (("a", 1), ("b", 5), ("a", 3)):
        numbers.add(name, value(number))
    assert numbers.close(7) == [(7, {"a": 2.0, "b": 5.0})]
    numbers.add("c", value(4))
    assert numbers.close(8) == [(8, {"c": 4.0})]


def test_from_an_accelerator_a_step_is_taken_up_two_steps_later():
    assert steps(FromAccelerator(["a", "b"]), 3) == [[], [(1, {"a": 5.0})], [(2, {"a": 10.0})]]


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda numbers: pickle.loads(pickle.dumps(numbers)),
        lambda numbers: loaded(numbers.state_dict(), numbers),
    ],
)
def test_what_is_on_its_way_survives_a_checkpoint_and_a_copy(copied):
    numbers = FromAccelerator(["a", "b"])
    steps(numbers, 1)
    numbers.add("b", value(3))
    again = copied(numbers)
    again.sent = 1
    assert again.state_dict() == numbers.state_dict()
    assert steps(again, 1, first=2) == [[(1, {"a": 5.0})]]


def loaded(state, numbers):
    fresh = FromAccelerator(numbers.names)
    fresh.load_state_dict(pickle.loads(pickle.dumps(state)))
    return fresh


def test_a_number_of_the_cpu_beside_those_of_an_accelerator_travels_with_them():
    numbers = FromAccelerator(["a", "b"])
    numbers.add("b", value(0))
    assert steps(numbers, 2) == [[], [(1, {"a": 5.0, "b": 10.0})]]

"""Several pictures in work at once: how many, how large, in which order, and what happens at the end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from u2net.system.parallel import PixelBudget, parallel_map, pictures_in_flight, requests_for


def test_every_item_is_done_once_and_its_result_has_its_number() -> None:
    assert sorted(parallel_map(range(500), lambda item: item * item, at_once=3)) == [(n, n * n) for n in range(500)]


def test_so_many_are_in_work_at_once_and_no_more() -> None:
    together = threading.Barrier(3)
    lock, now, most = threading.Lock(), 0, 0

    def do(item: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(timeout=10)  # passes only where three are in work
        with lock:
            now -= 1

    list(parallel_map(range(30), do, at_once=3))
    assert most == 3


def test_items_are_asked_for_only_when_one_can_begin_so_that_any_number_goes() -> None:
    asked = 0

    def items() -> Iterator[int]:
        nonlocal asked
        for number in itertools.count():
            asked += 1
            yield number

    results = parallel_map(items(), lambda item: item, at_once=2)
    for _ in range(10):
        next(results)
    assert asked <= 10 + 2 * 2
    results.close()


def test_slow_item_lets_others_go_ahead_but_not_without_end() -> None:
    release = threading.Event()

    def do(item: int) -> int:
        if item == 0:
            assert release.wait(timeout=30)
        return item

    results = parallel_map(range(1000), do, at_once=2)
    ahead = [next(results)[0] for _ in range(63)]
    assert ahead == list(range(1, 64))
    release.set()
    assert next(results)[0] == 0
    assert sorted(number for number, _ in results) == list(range(64, 1000))


def test_none_gives_the_results_that_are_there_and_is_no_item() -> None:
    assert list(parallel_map([1, None, None, 2, None], str, at_once=2)) == [(0, "1"), (1, "2")]


def test_stopping_begins_nothing_new_and_finishes_what_is_in_work() -> None:
    begun: list[int] = []
    done: list[int] = []

    def do(item: int) -> int:
        begun.append(item)
        return item

    for number, _ in parallel_map(range(1000), do, at_once=2, stopping=lambda: len(done) >= 5):
        done.append(number)
    assert sorted(done) == sorted(begun)
    assert len(done) < 12


def test_error_in_the_work_is_raised_when_the_others_are_done() -> None:
    ended = threading.Event()

    def do(item: int) -> None:
        if item == 1:
            raise ZeroDivisionError
        ended.set()

    with pytest.raises(ZeroDivisionError):
        list(parallel_map(range(2), do, at_once=2))
    assert ended.is_set()


def test_room_is_shared_by_small_ones_and_a_large_one_is_alone() -> None:
    room = PixelBudget(100)
    inside = threading.Event()
    order: list[str] = []

    def large() -> None:
        with room.take(1_000_000):
            order.append("large")

    def small_after() -> None:
        with room.take(1):
            order.append("small after")

    with room.take(30), room.take(70):
        first = threading.Thread(target=large)
        first.start()
        while room._next_ticket != 3:  # it has queued
            inside.wait(0.001)
        second = threading.Thread(target=small_after)
        second.start()
        while room._next_ticket != 4:
            inside.wait(0.001)
        order.append("both small")
    first.join(timeout=10)
    second.join(timeout=10)
    assert order == ["both small", "large", "small after"]  # who came first is not passed by


def test_picture_of_unknown_size_is_alone() -> None:
    room = PixelBudget(100)
    entered = threading.Event()

    def other() -> None:
        with room.take(1):
            entered.set()

    with room.take(None):
        thread = threading.Thread(target=other)
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(10)
    thread.join()


@pytest.mark.parametrize(("cores", "requests"), [(1, 1), (2, 2), (4, 2), (8, 2), (12, 3), (16, 4), (64, 4)])
def test_requests_grow_with_the_cores_but_memory_is_not_spent_without_end(cores: int, requests: int) -> None:
    assert requests_for(cores) == requests


@pytest.mark.parametrize(("cores", "in_work"), [(1, 2), (2, 2), (3, 3), (4, 3), (8, 3), (16, 5), (64, 5)])
def test_one_more_is_in_work_than_in_the_network_where_there_is_a_core_for_it(cores: int, in_work: int) -> None:
    assert pictures_in_flight(cores) == in_work

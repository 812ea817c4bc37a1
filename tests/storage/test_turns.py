"""Who writes to a file of SQLite goes in turn, across threads and processes."""

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from konectom.storage.turns import Held, Line, Turns

LONG_S = 60.0
"""Longer than any of these tests takes: what waits so long has failed."""

SPAWN, FORK = (multiprocessing.get_context(each) for each in ("spawn", "fork"))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some.sqlite3"


@pytest.fixture
def turns(file):
    return Turns(file)


def until(true):
    while not true():
        os.sched_yield()


def somebody_stands_in_front(turns):
    lock = Held(turns.next)
    free = lock.lock()
    lock.give_back()
    return not free


@contextlib.contextmanager
def running(context, target, *args):
    """A process that says when it has come so far, and ends when told, or is killed."""
    here, there = context.Pipe()
    process = context.Process(target=target, args=(there, *args))
    process.start()
    try:
        yield here, process
    finally:
        here.close()
        there.close()
        process.kill()
        process.join()
        process.close()


def go_in_turn(pipe, file, order):
    turns = Turns(file)
    while pipe.recv() == "go":
        write_down(turns, order, "other")


def write_down(turns, order, name):
    turn = turns.take(LONG_S)
    with order.open("a") as lines:
        lines.write(f"{name}\n")
    turn.end()


def hold(pipe, file):
    turn = Turns(file).take(LONG_S)
    pipe.send("held")
    pipe.recv()
    turn.end()


def stand_in_front(pipe, file):
    Turns(file).take(LONG_S)


def test_only_one_has_a_turn(turns):
    turn = turns.take(LONG_S)
    assert turns.take(0.0) is None
    turn.end()
    turn.end()
    turns.take(LONG_S).end()
    with turns.taken(LONG_S):
        assert turns.take(0.0) is None
    turns.take(LONG_S).end()


def test_a_turn_that_was_lost_on_its_way_is_given_back(turns):
    turns.take(LONG_S)  # as where whoever waited is interrupted before it is told
    gc.collect()
    turns.take(LONG_S).end()


def test_threads_go_in_the_order_in_which_they_came():
    line, went = Line(), []

    def go(number):
        assert line.take(monotonic() + LONG_S)
        went.append(number)
        line.give_back()

    assert line.take(0.0)
    with ThreadPoolExecutor(8) as pool:
        for number in range(8):
            pool.submit(go, number)
            until(lambda number=number: len(line) == number + 1)
        assert went == []
        line.give_back()
    assert went == list(range(8))


def test_who_gives_up_waiting_leaves_the_line():
    line = Line()
    assert line.take(0.0)
    assert not line.take(0.0)
    assert len(line) == 0
    line.give_back()
    assert line.take(0.0)


def test_who_stands_in_front_goes_before_all_who_came_later_to_another_process(turns, file, tmp_path):
    order = tmp_path / "order"
    with running(SPAWN, go_in_turn, file, order) as (other, process), ThreadPoolExecutor(2) as pool:
        for each in range(5):
            turn = turns.take(LONG_S)
            other.send("go")
            until(lambda: somebody_stands_in_front(turns))
            mine = [pool.submit(write_down, turns, order, "first")]
            until(lambda: turns.line.taken)
            mine.append(pool.submit(write_down, turns, order, "second"))
            until(lambda: len(turns.line) == 1)
            turn.end()
            for done in mine:
                done.result()
            assert order.read_text().split() == ["other", "first", "second"] * (each + 1)
        other.send("enough")
        process.join()


def test_where_the_holder_is_killed_the_next_goes_on(turns, file):
    with running(SPAWN, hold, file) as (other, process):
        assert other.recv() == "held"
        assert turns.take(0.0) is None
        with ThreadPoolExecutor(1) as pool:
            next_one = pool.submit(turns.take, LONG_S)
            until(lambda: somebody_stands_in_front(turns))
            os.kill(process.pid, signal.SIGKILL)
            next_one.result().end()


def test_where_the_one_in_front_is_killed_the_next_goes_on(turns, file):
    turn = turns.take(LONG_S)
    with running(SPAWN, stand_in_front, file) as (_, process):
        until(lambda: somebody_stands_in_front(turns))
        with ThreadPoolExecutor(1) as pool:
            next_one = pool.submit(turns.take, LONG_S)
            until(lambda: turns.line.taken)
            os.kill(process.pid, signal.SIGKILL)
            turn.end()
            next_one.result().end()


def end_what_is_inherited(pipe, file, turn):
    turn.end()
    pipe.send(Turns(file).take(0.0) is None)
    pipe.recv()


def test_a_fork_neither_has_nor_ends_the_turn_of_its_parent(turns, file):
    turn = turns.take(LONG_S)
    with running(FORK, end_what_is_inherited, file, turn) as (child, _):
        assert child.recv(), "the turn is still the parent's"
        assert turns.take(0.0) is None
        turn.end()
        turns.take(LONG_S).end()  # while the child, which has inherited the handle, lives


def hold_and_fork(pipe, file):
    turn = Turns(file).take(LONG_S)
    if os.fork() == 0:
        pipe.send(("forked", os.getpid()))
        signal.pause()
    assert turn
    signal.pause()


def test_where_the_holder_is_killed_its_fork_does_not_keep_the_turn(turns, file):
    with running(SPAWN, hold_and_fork, file) as (other, process):
        _, fork = other.recv()
        try:
            assert turns.take(0.0) is None
            os.kill(process.pid, signal.SIGKILL)
            turns.take(LONG_S).end()
        finally:
            os.kill(fork, signal.SIGKILL)


def test_all_threads_get_through(file):
    """Each adds one to a number, which it reads and writes apart: without turns some would be lost."""
    number, several = {"is": 0}, [Turns(file) for _ in range(3)]
    barrier = threading.Barrier(6)

    def count(turns):
        barrier.wait(LONG_S)
        for _ in range(20):
            with turns.taken(LONG_S):
                was = number["is"]
                os.sched_yield()
                number["is"] = was + 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, several * 2))
    assert number["is"] == 120

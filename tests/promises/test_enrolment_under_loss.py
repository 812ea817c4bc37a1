"""However bad the network, a phone ends enrolled or can begin again; never two live credentials, never one locked out.

A phone that writes down what it is about to send meets the real API through a network that drops, doubles and delays;
in some runs somebody copies the phone. What must hold is asked of the database after every step.
"""

import random
import time
from collections import Counter
from typing import Any

from hypothesis import HealthCheck
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.phone import Answer, NoAnswer, Request, Thief
from tests.ward import Run, Ward, client, hourly, ward

__all__ = ["client", "hourly", "ward"]

RUNS = 1000
STEPS = (3, 6)
EACH = (
    "requests dropped",
    "answers dropped",
    "requests held back",
    "requests doubled at once",
    "requests doubled late",
    "requests late",
    "requests late, after newer ones",
    "codes that were void",
    "second codes",
    "phones shut out by staff, or too late",
    "thieves",
    "thefts found out",
    "thieves and phones both shut out",
)
"""What must have happened in the runs, each many times."""


def test_a_thousand_phones_under_loss(ward, capsys):
    seen: Counter[str] = Counter()
    steps, began, cpu_began = 0, time.perf_counter(), time.process_time()
    for seed in range(RUNS):
        run = Run(ward, random.Random(seed), seen)
        for _ in range(run.dice.randint(*STEPS)):
            steps += 1
            run.step()
            run.check()
        run.settle()
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    with capsys.disabled():
        print(f"\n{RUNS} runs, {steps} steps, {ward.served} requests: {took_s:.0f} s, {cpu_s:.0f} s of CPU")
        print(dict(seen.most_common()))
    for what in EACH:
        assert seen[what] >= 10, what


class Phones(RuleBasedStateMachine):
    """One phone, its network and a thief, in whatever order; the smallest order that breaks a promise is told."""

    ward: Ward

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.run = Run(self.ward, random.Random(seed), Counter())
        self.run.network.bad = False
        self.lost: list[Request] = []
        self.run.phone.network = self.send
        self.fates: list[str] = []

    def send(self, request: Request) -> Answer:
        """Let a request meet the fate that was drawn for it."""
        fate = self.fates.pop() if self.fates else "answered"
        if fate == "request dropped":
            raise NoAnswer
        if fate == "held back":
            self.lost.append(request)
            raise NoAnswer
        answer = self.ward.serve(request)
        if fate == "doubled late":
            self.lost.append(request)
        if fate == "answer dropped":
            raise NoAnswer
        return answer

    @rule(fate=st.sampled_from(("answered", "request dropped", "held back", "doubled late", "answer dropped")))
    def go_on(self, fate: str) -> None:
        self.fates = [fate]
        if self.run.phone.needs_code:
            self.run.scan()
        self.run.attempt(self.run.phone.renew if self.run.phone.enrolled else self.run.phone.enrol)

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def arrive_late(self, data: Any) -> None:
        self.ward.serve(self.lost.pop(data.draw(st.integers(0, len(self.lost) - 1))))

    @precondition(lambda self: not self.run.phone.enrolled)
    @rule()
    def scan_another_code(self) -> None:
        self.run.scan()

    @precondition(lambda self: not self.run.phone.needs_code and self.run.thief is None)
    @rule()
    def copy_the_phone(self) -> None:
        self.run.thief = Thief.of(self.run.phone, self.ward.serve, self.run.dice)

    @precondition(lambda self: self.run.thief is not None)
    @rule()
    def renew_as_thief(self) -> None:
        self.run.thief.try_it()

    @rule(minutes=st.sampled_from((30, 61)))
    def wait(self, minutes: int) -> None:
        self.ward.services.clock.forward(minutes=minutes)

    @invariant()
    def one_credential_at_most(self) -> None:
        if hasattr(self, "run"):
            self.run.check()

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.fates = []
            self.run.network.late = self.lost
            self.run.settle()


def test_no_order_of_steps_breaks_it(ward):
    class PhonesOfTheWard(Phones):
        pass

    PhonesOfTheWard.ward = ward
    how = examples(
        max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(PhonesOfTheWard, settings=how)

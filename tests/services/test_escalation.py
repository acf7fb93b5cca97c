from signal import Signals

from queuectl.services.escalation import Escalation, Step

QUIT, KILL, TERM = Signals.SIGQUIT, Signals.SIGKILL, Signals.SIGTERM


def test_each_step_is_sent_at_its_time_and_then_each_second() -> None:
    escalation = Escalation([Step(5, KILL), Step(0, QUIT)])
    sent = [(tenth / 10, signum) for tenth in range(70) if (signum := escalation.due(tenth / 10)) is not None]
    assert [(round(when), signum) for when, signum in sent] == [
        (0, QUIT),
        (1, QUIT),
        (2, QUIT),
        (3, QUIT),
        (4, QUIT),
        (5, KILL),
        (6, KILL),
    ]


def test_a_late_look_sends_the_latest_only() -> None:
    escalation = Escalation([Step(0, QUIT), Step(5, KILL)])
    assert escalation.due(9) == KILL


def test_without_steps_nothing_is_ever_due() -> None:
    assert Escalation([]).due(10**6) is None


def test_nothing_before_the_first() -> None:
    escalation = Escalation([Step(2, TERM)])
    assert escalation.due(1.9) is None
    assert escalation.due(2) == TERM

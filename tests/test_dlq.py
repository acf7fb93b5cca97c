"""The dead letter queue: list, stats, retry, remove.

As a script, `python tests/test_dlq.py`, it prints a checklist; pytest collects the same checks.
"""

from __future__ import annotations

import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))

import checklist
from real_home import Home, fresh_home


def deaths(home: Home) -> list[str]:
    """Three dead jobs beside a completed one."""
    dead = [
        home.enqueue("exit 3", max_retries=1, backoff_max=0.05),
        home.enqueue("exit 3", max_retries=0),
        home.enqueue("exit 4", max_retries=0),
    ]
    home.enqueue("true", id="well")
    home.cli("worker", "run", "--drain")
    return dead


def listed(home: Home) -> set[str]:
    return {job["id"] for job in home.document("dlq", "list")}


def test_it_has_the_dead_and_none_else() -> None:
    with fresh_home() as home:
        assert listed(home) == set()
        dead = deaths(home)
        assert listed(home) == set(dead)
        assert all(job in home.cli("dlq", "list", "--verbose") for job in dead)
        assert home.document("dlq", "show", dead[2])["exit_code"] == 4
        home.cli("dlq", "show", "well", code=1)


def test_stats_add_up() -> None:
    with fresh_home() as home:
        assert home.document("dlq", "stats")["total"] == 0
        deaths(home)
        stats = home.document("dlq", "stats")
        assert (stats["total"], round(stats["mean_attempts"], 2)) == (3, 1.33)
        assert [each["count"] for each in stats["errors"]] == [2, 1]
        assert stats["oldest"] <= stats["newest"]


def test_retry_gives_all_the_retries_again() -> None:
    with fresh_home() as home:
        dead = deaths(home)
        home.cli("dlq", "retry", dead[0])
        assert (home.queue.get(dead[0]).state.value, home.queue.get(dead[0]).attempts) == ("pending", 0)
        assert listed(home) == set(dead[1:])
        home.cli("worker", "run", "--drain")
        assert (home.queue.get(dead[0]).attempts, len(home.queue.attempts(dead[0]))) == (2, 4)
        home.cli("dlq", "retry")
        assert listed(home) == set()


def test_keep_attempts_gives_one_execution() -> None:
    with fresh_home() as home:
        dead = deaths(home)
        home.cli("dlq", "retry", dead[0], "--keep-attempts")
        home.cli("worker", "run", "--drain")
        found = home.queue.get(dead[0])
        assert (found.state.value, found.attempts, len(home.queue.attempts(dead[0]))) == ("dead", 3, 3)


def test_a_retry_can_succeed() -> None:
    with fresh_home() as home:
        flag = os.path.join(home.path, "flag")
        job = home.enqueue(f"test -e {flag}", max_retries=0)
        home.cli("worker", "start")
        assert home.ended(job).state.value == "dead"
        with open(flag, "w"):
            pass
        home.cli("dlq", "retry", job)
        assert home.ended(job).state.value == "completed"
        assert listed(home) == set()


def test_remove_forgets_one_or_all() -> None:
    with fresh_home() as home:
        dead = deaths(home)
        home.cli("dlq", "remove", dead[0])
        home.cli("show", dead[0], code=4)
        home.cli("dlq", "remove", "well", code=1)
        home.cli("dlq", "remove", code=2, given="")
        assert listed(home) == set(dead[1:])
        home.cli("dlq", "remove", "--yes")
        assert [job["id"] for job in home.document("list")] == ["well"]


CHECKS = {
    "it has the dead, and none else": test_it_has_the_dead_and_none_else,
    "stats add up": test_stats_add_up,
    "retry gives all the retries again": test_retry_gives_all_the_retries_again,
    "--keep-attempts gives one execution": test_keep_attempts_gives_one_execution,
    "a retry can succeed": test_a_retry_can_succeed,
    "remove forgets one, or all": test_remove_forgets_one_or_all,
}

if __name__ == "__main__":
    sys.exit(checklist.run("The dead letter queue", CHECKS))

"""`config`, `init`, `completion`."""

from __future__ import annotations

import re

import yaml
from cli_runner import Cli, fails

from queuectl.cli.example import example
from queuectl.config.keys import listed


def test_show_get_set_unset_reset(cli: Cli) -> None:
    shown = cli("config", "show", "--json").json
    assert shown["max_retries"] == {"value": 3, "origin": "built-in"}
    assert shown["output_limit"]["value"] == 10 * 2**20
    assert shown["pools.default.queues"]["value"] is None
    cli("config", "set", "max-retries", "5")
    cli("config", "set", "worker_timeout", "10m")
    assert cli("config", "get", "max_retries").out == "5\n"
    assert cli("config", "get", "worker_timeout").out == "10m\n"
    assert cli("config", "get", "worker_timeout", "--json").json == 600
    text = cli("config", "show", "--origin").out
    assert re.search(r"^max_retries +5 +config.d/50-set.yaml:\d+$", text, re.MULTILINE)
    assert "ORIGIN" not in cli("config", "show").out
    cli("config", "unset", "max_retries")
    assert "was not set" in cli("config", "unset", "max_retries").err
    assert cli("config", "get", "max_retries").out == "3\n"
    fails(cli("config", "reset", code=None), 2, "--yes")
    cli("config", "reset", "--yes")
    assert cli("config", "get", "worker_timeout").out == "5m\n"
    assert "nothing was set" in cli("config", "reset", "--yes").err


def test_jobs_take_the_settings(cli: Cli) -> None:
    cli("config", "set", "max_retries", "7")
    assert cli("enqueue", "--json", "--", "true").json["max_retries"] == 7
    assert cli("enqueue", "--json", "--", "true", env={"QUEUECTL_MAX_RETRIES": "8"}).json["max_retries"] == 8


def test_what_is_set_and_hidden_is_said(cli: Cli) -> None:
    env = {"QUEUECTL_MAX_RETRIES": "8"}
    assert "QUEUECTL_MAX_RETRIES wins" in cli("config", "set", "max_retries", "5", env=env).err
    assert "at most 10" in cli("config", "set", "pools.default.workers", "11").err
    fails(cli("config", "check", code=None), 78, "max_workers")


def test_a_broken_file_can_be_repaired_by_command(cli: Cli) -> None:
    cli("config", "set", "max_retries", "5")
    (cli.home / "config.d" / "50-set.yaml").write_text("max_retries: [\n")
    fails(cli("list", code=None), 78, "50-set.yaml")
    cli("config", "path")
    cli("config", "reset", "--yes")
    cli("list")


def test_path(cli: Cli) -> None:
    assert cli("config", "path").out == f"{cli.home}/queuectl.yaml\n"
    assert cli("config", "path", "--json", "--config", "/x.yaml").json == {
        "home": str(cli.home),
        "config": "/x.yaml",
        "exists": False,
        "config_d": f"{cli.home}/config.d",
    }


def test_init(cli: Cli) -> None:
    cli("init", "--examples")
    path = cli.home / "queuectl.yaml"
    assert path.read_text() == example()
    assert path.stat().st_mode & 0o777 == 0o600
    names = ("job_template.json", "simple_job.json", "python_job.json", "test_job.json")
    for name in names:
        assert cli("enqueue", "--validate", name).code == 0
    path.write_text("max_retries: 9\n")
    cli.write("test_job.json", "{}")
    assert cli("init", "--examples").err.count("is there already") == 5
    assert path.read_text() == "max_retries: 9\n"
    assert (cli.directory / "test_job.json").read_text() == "{}"
    assert cli("config", "get", "max_retries").out == "9\n"
    cli("enqueue", "simple_job.json")
    cli("enqueue", "python_job.json")
    cli.drain()
    assert [job["state"] for job in cli("list", "--json").json] == ["completed", "completed"]


def test_the_example_says_every_key_and_its_default(cli: Cli) -> None:
    cli.write("commented.yaml", example())
    built_in = {name: each["value"] for name, each in cli("config", "show", "--json").json.items()}
    shown = cli("config", "show", "--json", "--config", "commented.yaml").json
    assert {name: each["value"] for name, each in shown.items()} == built_in
    text = re.sub(r"^#((?:  )*(?:[a-z_]+|[A-Z]+):(?: |$))", r"\1", example(), flags=re.MULTILINE)
    cli.write("all.yaml", text)
    shown = cli("config", "show", "--json", "--config", "all.yaml").json
    assert {name: each["value"] for name, each in shown.items()} == built_in
    assert {each["origin"].split(":")[0] for each in shown.values()} == {f"{cli.directory}/all.yaml"}
    assert set(yaml.safe_load(text)) == {name.split(".")[0] for name, _ in listed()}


def test_completion(cli: Cli) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_QUEUECTL_COMPLETE" in cli("completion", shell).out
    env = {"_QUEUECTL_COMPLETE": "bash_complete", "COMP_WORDS": "queuectl work", "COMP_CWORD": "1"}
    assert cli(env=env).out == "plain,worker\n"
    env = {"_QUEUECTL_COMPLETE": "bash_complete", "COMP_WORDS": "queuectl enqueue --ti", "COMP_CWORD": "2"}
    assert cli(env=env).out == "plain,--timeout\n"
    assert not cli.home.exists()

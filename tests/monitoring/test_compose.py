"""docker-compose.yml and the Dockerfile, by the real Compose and linters; and the files that they mount."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.rules import RUNBOOKS
from tests.compose.stack import PORTS, changes
from tests.monitoring.promtool import HOUSE
from tests.programs import program
from worker.accounts.reading import read_accounts
from worker.paper import Mischief

SELF_CHOSEN = {"paper", "worker", "worker-live", "gateway", "gateway-live", "traffic"}
"""Services of our image, which names its user itself."""


def run(*command: str, **named: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **named)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def beside_python(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@pytest.fixture(scope="module", params=["demo", "live"])
def services(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    told = run(
        *(beside_python("docker-compose"), "--project-directory", str(HOUSE), "--profile", request.param),
        *("config", "--format", "json"),
        cwd=HOUSE,
    )
    return dict(json.loads(told)["services"])


def test_demo_is_what_comes_up_by_itself() -> None:
    told = run(beside_python("docker-compose"), "config", "--services", cwd=HOUSE)
    assert {"paper", "worker", "gateway", "traffic"} < set(told.split())
    assert not {"worker-live", "gateway-live"} & set(told.split())


def test_runbooks_are_served_where_alerts_and_dashboards_link_to(services: dict[str, dict[str, Any]]) -> None:
    prometheus = services["prometheus"]
    (published,) = prometheus["ports"]
    assets = next(one for one in prometheus["command"] if one.startswith("--web.user-assets=")).partition(
        "="
    )[2]
    address = f"http://{published['host_ip']}:{published['published']}/user/"
    (mount,) = [one for one in prometheus["volumes"] if one["target"].startswith(assets)]
    assert f"{address}{mount['target'].removeprefix(assets + '/')}" == RUNBOOKS
    assert Path(mount["source"]) == HOUSE / "docs" / "runbooks"


def test_made_up_traffic_never_meets_the_real_endpoint(services: dict[str, dict[str, Any]]) -> None:
    if "worker-live" in services:
        assert not {"traffic", "paper", "worker", "gateway"} & set(services)
    else:
        assert services["worker"]["environment"]["SIGNALS_ENDPOINT_URL"].startswith("http://paper:")
        ours = {services[name]["environment"]["SIGNALS_PREFIX"] for name in ("worker", "gateway", "traffic")}
        assert ours == {"demo:"}


def test_services_may_do_no_more_than_they_must(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert int(service["mem_limit"]) > 0, name
        if name not in SELF_CHOSEN:
            assert service["user"].split(":")[0] not in ("", "0", "root"), name
            assert service["image"].partition(":")[2] not in ("", "latest"), name


def test_nothing_is_reachable_from_other_machines(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name
    assert set(services["valkey"]["networks"]) == {"queue"}
    assert "ports" not in services["valkey"]


def test_all_that_serve_are_watched(services: dict[str, dict[str, Any]]) -> None:
    assert {name for name, service in services.items() if "healthcheck" not in service} <= {"traffic"}


def test_what_is_mounted_exists(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists()
                assert volume["read_only"]


def test_secrets_are_made_once_and_only_for_the_owner(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = (sys.executable, str(HOUSE / "compose" / "make_secrets.py"), str(folder))
    run(*make)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    wanted = yaml.safe_load((HOUSE / "docker-compose.yml").read_text())["secrets"]
    assert set(made) == {Path(one["file"]).name for one in wanted.values()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    password = made["valkey.conf"].split()[1]
    assert password in made["settings.env"]
    assert list(read_accounts(folder / "accounts.yaml")[0]) == []

    run(*make)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


def test_the_paper_endpoint_understands_its_command(services: dict[str, dict[str, Any]]) -> None:
    if "paper" in services:
        command = services["paper"]["command"]
        rules = [rule for flag, rule in pairwise(command) if flag == "--mischief"]
        assert len(Mischief.from_text(*rules).rules) == 4


def test_prometheus_understands_its_files(tmp_path: Path) -> None:
    shutil.copy(HOUSE / "compose" / "prometheus.yml", tmp_path)
    shutil.copytree(HOUSE / "helm" / "rules", tmp_path / "rules")
    told = run(program("promtool"), "check", "config", str(tmp_path / "prometheus.yml"))
    assert "2 rule files found" in told


def test_alertmanager_understands_its_file() -> None:
    run(program("amtool"), "check-config", str(HOUSE / "compose" / "alertmanager.yml"))


def test_grafana_is_led_to_the_dashboards(services: dict[str, dict[str, Any]]) -> None:
    mounted = {volume["target"] for volume in services["grafana"]["volumes"]}
    (provider,) = yaml.safe_load((HOUSE / "compose" / "grafana" / "dashboards.yaml").read_text())["providers"]
    assert provider["options"]["path"] in mounted
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (HOUSE / "helm" / "dashboards" / home.name).exists()


@pytest.mark.parametrize("name", ["Dockerfile", "tests/compose/Dockerfile"])
def test_the_dockerfile_is_clean(name: str) -> None:
    run(beside_python("hadolint"), str(HOUSE / name))


def test_make_compose_proof_can_do_without_a_registry(tmp_path: Path) -> None:
    """And with the user's own secrets and the real endpoint it has nothing to do."""
    changed = tmp_path / "changes.yaml"
    changed.write_text(yaml.safe_dump(changes("ours", "stand-in", tmp_path)))
    told = run(
        *(beside_python("docker-compose"), "--project-directory", str(HOUSE), "--profile", "*"),
        *("--file", str(HOUSE / "docker-compose.yml"), "--file", str(changed), "config", "--format", "json"),
    )
    config = json.loads(told)
    images = {name: service["image"] for name, service in config["services"].items()}
    assert set(images.values()) == {"ours", "stand-in"}
    assert {name for name, image in images.items() if image == "ours"} == SELF_CHOSEN
    assert {Path(one["file"]).parent for one in config["secrets"].values()} == {tmp_path}
    for name in ("worker", "worker-live"):
        assert config["services"][name]["environment"]["SIGNALS_ENDPOINT_URL"].startswith("http://paper:")
    published = {port["published"] for one in config["services"].values() for port in one.get("ports", [])}
    assert published == {str(port) for port in PORTS.values()}


def test_the_image_holds_what_the_traffic_needs(tmp_path: Path) -> None:
    line = next(
        line for line in (HOUSE / "Dockerfile").read_text().splitlines() if line.startswith("COPY demo/")
    )
    (tmp_path / "demo").mkdir()
    for name in line.split()[1:-1]:
        shutil.copy(HOUSE / name, tmp_path / "demo")
    told = run(sys.executable, "-m", "demo.traffic_loop", "--help", cwd=tmp_path)
    assert "--gateway" in told

"""Compose file and manifests are of their schemas, and give each part no more than it needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from throng import __version__, settings

ROOT = Path(__file__).resolve().parents[2] / "deploy"
KUBERNETES, COMPOSE = ROOT / "kubernetes", ROOT / "compose"
MANIFESTS = sorted(file.name for file in KUBERNETES.glob("*.yaml") if file.name != "kustomization.yaml")
#: Somebody whom no part should be.
ROOT_USERS = {"0", "root", ""}


def _read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text()))


def _pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in MANIFESTS:
        for one in _read(name):
            if "template" in one.get("spec", {}):
                yield one["metadata"]["name"], one["spec"]["template"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_of_the_schema(name: str) -> None:
    for one in _read(name):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
    kustomization = (KUBERNETES / "kustomization.yaml").read_text()
    assert name in kustomization
    wrong = yaml.safe_load((KUBERNETES / "pipeline.yaml").read_text())
    wrong["spec"]["template"]["spec"]["contianers"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize(("name", "pod"), list(_pods()), ids=lambda one: one if isinstance(one, str) else "")
def test_a_pod_may_do_nothing_but_its_work(name: str, pod: dict[str, Any]) -> None:
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    for box in (*spec.get("initContainers", ()), *spec["containers"]):
        of = box["securityContext"]
        assert of == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in box["resources"]["limits"]
        assert "env" not in box, "secrets come as files, and settings too"
        assert re.search(r":[\w.-]+$", box["image"])
        assert "latest" not in box["image"]
    volumes = {one["name"]: one for one in spec["volumes"]}
    kafka = "kafka" in volumes
    assert kafka == (name != "dashboards"), "the pages have no way to brokers"
    assert all("hostPath" not in one for one in volumes.values())


def test_there_is_one_pipeline_and_whoever_shares_a_folder_is_on_its_node() -> None:
    (pipeline,) = _read("pipeline.yaml")
    assert pipeline["spec"]["replicas"] == 1
    assert pipeline["spec"]["strategy"] == {"type": "Recreate"}
    for name, pod in _pods():
        shares = any("persistentVolumeClaim" in one for one in pod["spec"]["volumes"])
        assert shares == (pod["metadata"]["labels"].get("throng/folder") == "main"), name
        assert shares == ("podAffinity" in pod["spec"]["affinity"]), name


def test_the_network_is_closed_but_for_what_is_named() -> None:
    rules = {one["metadata"]["name"]: one["spec"] for one in _read("network.yaml")}
    assert rules["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "ingress" not in rules["pipeline"], "nobody reaches the pipeline"
    assert "egress" not in rules["dashboards"], "the pages reach nobody"
    for spec in rules.values():
        for way in (*spec.get("ingress", ()), *spec.get("egress", ())):
            assert way.get("from") or way.get("to"), "from anywhere"
            assert way["ports"]
    parts = {pod["metadata"]["labels"]["part"] for _, pod in _pods()}
    (several,) = rules["collectors"]["podSelector"]["matchExpressions"]
    named = {spec["podSelector"].get("matchLabels", {}).get("part") for spec in rules.values()}
    assert parts == (named - {None}) | set(several["values"])


@pytest.mark.parametrize("folder", [COMPOSE, KUBERNETES], ids=["compose", "kubernetes"])
def test_settings_are_ours_and_each_is_explained(folder: Path) -> None:
    text = (folder / "throng.toml").read_bytes()
    found = settings.read(text)
    assert found.log.kind == "kafka"
    assert found.ingest.https_only == "all"
    assert all("  # " in line for line in text.decode().splitlines() if " = " in line)
    assert "password =" not in text.decode()


def test_a_service_of_the_compose_file_may_do_nothing_but_its_work() -> None:
    whole = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    for name, one in whole["services"].items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["ulimits"]["core"] == 0, name
        assert one.get("user", "by its image").split(":")[0] not in ROOT_USERS, name
        assert "privileged" not in one, name
        assert "latest" not in one["image"], name
        assert all("PASSWORD" not in key or "FILE" in key for key in one.get("environment", {})), name
        for volume in one.get("volumes", ()):
            assert volume.split(":")[0] in whole["volumes"], f"{name}: a folder of the machine"
    ours = [one for one in whole["services"].values() if one["image"].startswith("throng:")]
    assert {one["image"] for one in ours} == {f"throng:{__version__}"}
    assert all(one["mem_limit"] == one["memswap_limit"] for one in ours), "nothing is written to a swap"
    given = {secret for one in whole["services"].values() for secret in one.get("secrets", ())}
    assert given == whole["secrets"].keys(), "a secret that nobody is given, or that there is not"
    assert not any(one.get("secrets") for one in ours), "[log] in throng.toml names no password"
    for kind in ("configs", "secrets"):
        for of in whole[kind].values():
            assert kind == "secrets" or (COMPOSE / of["file"]).exists()
    writers = [name for name, one in whole["services"].items() if "pipeline" in one.get("command", ())]
    assert writers == ["pipeline"]


@pytest.mark.parametrize("folder", [COMPOSE, KUBERNETES], ids=["compose", "kubernetes"])
def test_what_is_said_at_one_collector_binds_at_all(folder: Path) -> None:
    """Planted: a ledger for each collector, where a refusal bound at the one alone that had heard it."""
    found = settings.read((folder / "throng.toml").read_bytes())
    assert found.log.ledger


def test_collectors_have_the_keys_of_the_first_before_they_begin(tmp_path: Path) -> None:
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    second, keys = services["collector-2"], services["keys"]
    assert second["depends_on"]["keys"] == {"condition": "service_completed_successfully"}
    assert keys["depends_on"] == ["collector"]
    assert keys["volumes"] == ["data:/from:ro", second["volumes"][0]]
    python, _, line = keys["entrypoint"]
    assert python == "python"
    for name in ("from", "data"):
        (tmp_path / name).mkdir()
        line = line.replace(f"/{name}/", f"{tmp_path / name}/")
    waiting = subprocess.Popen([sys.executable, "-c", line])
    time.sleep(0.5)
    assert waiting.poll() is None, "the first collector has not begun yet"
    (tmp_path / "from" / "keys.json").write_text("the first ones")
    assert waiting.wait(20) == 0
    (tmp_path / "from" / "keys.json").write_text("those of a year later")  # by the calendar, or by hand
    subprocess.run([sys.executable, "-c", line], check=True)
    assert (tmp_path / "data" / "keys.json").read_text() == "the first ones"
    assert os.listdir(tmp_path / "data") == ["keys.json"]
    (several,) = (pod for name, pod in _pods() if name == "collectors")
    (waits,) = several["spec"]["initContainers"]
    assert "/data/keys.json" in waits["command"][2]
    assert waits["volumeMounts"] == [{"name": "data", "mountPath": "/data"}]
    compile(waits["command"][2], "keys", "exec")


def test_what_stands_before_keeps_no_trace() -> None:
    for file in (COMPOSE / "nginx.conf", KUBERNETES / "nginx.conf"):
        text = file.read_text()
        assert "access_log off;" in text
        assert "error_log /dev/null emerg;" in text
        assert "proxy_max_temp_file_size 0;" in text
    largest = settings.read((COMPOSE / "throng.toml").read_bytes()).ingest.max_body
    said = (COMPOSE / "nginx.conf").read_text()
    assert f"client_max_body_size {largest // 1024}k;" in said
    assert f"client_body_buffer_size {largest // 1024}k;" in said

"""The project's own checks: do they see what they are there to see?"""

import re
import shutil
import subprocess

import pytest

from harness import ROOT


@pytest.fixture
def tree(tmp_path):
    """A project in which there is only tools/; tree("src/mail/x.c", text) adds a file."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")

    def add(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return tmp_path
    return add


@pytest.mark.parametrize("file, include, allowed", [
    ("src/mail/x.c", "mail/address.h", True),
    ("src/mail/x.c", "base/str.h", True),
    ("src/gate/smtp/x.c", "rpc/client.h", True),
    ("src/vault/x.h", "mail/address.h", True),
    ("src/control/x.c", "config/config.h", True),
    ("src/base/x.c", "mail/address.h", False),
    ("src/mail/x.c", "rpc/client.h", False),
    ("src/rpc/x.c", "gate/main.h", False),
    ("src/gate/x.c", "vault/store/store.h", False),
    ("src/vault/x.c", "gate/smtp/smtp.h", False),
    ("src/vault/x.c", "control/serve.h", False),
    ("src/mail/x.c", "address.h", False),
    ("src/mail/x.c", "../rpc/client.h", False),
    ("src/attic/x.c", "base/str.h", False),
])
def test_check_layers(tree, file, include, allowed):
    root = tree(file, f'#include <stdio.h>\n#include "{include}"\n')
    result = subprocess.run([root / "tools" / "check-layers"], capture_output=True, text=True)
    assert result.returncode == (0 if allowed else 1), result.stdout
    assert allowed or file in result.stdout


def test_check_layers_of_nothing_is_a_failure(tree):
    root = tree("src/README", "")
    assert subprocess.run([root / "tools" / "check-layers"], capture_output=True).returncode == 1


@pytest.mark.parametrize("test, line, status", [
    ("def test_a(): pass\ndef test_b(): pass\n", "2 passed, 0 failed", 0),
    ("def test_a(): pass\ndef test_b(): assert 0\n", "1 passed, 1 failed", 1),
    ("import pytest\n@pytest.mark.skip\ndef test_a(): pass\n", "0 passed, 1 failed", 1),
    ("x = 1\n", "0 passed, 1 failed", 1),
    ("import nosuchmodule\n", "0 passed, 1 failed", 1),
    ("def test_a(): import os; os._exit(0)\n", "0 passed, 1 failed", 1),
], ids=["pass", "fail", "all skipped", "none", "no import", "dies"])
def test_run_tests_ends_with_one_line(tree, test, line, status):
    root = tree("test/test_x.py", test)
    (root / "build").mkdir()
    result = subprocess.run([root / "tools" / "run-tests", "--only", "system", "build"], cwd=root,
                            capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == line
    assert result.returncode == status


def test_packages_are_named_once_and_the_recipe_asks_for_no_others():
    packages = [line for line in (ROOT / "tools" / "packages").read_text().splitlines() if line and line[0] != "#"]
    assert len(packages) == len(set(packages))
    control = (ROOT / "packaging" / "debian" / "control").read_text()
    wanted = re.search(r"Build-Depends: (.*?)\nStandards", control, re.S).group(1)
    names = {re.sub(r"\s*\(.*\)", "", name.strip()) for name in wanted.split(",")}
    assert names - {"debhelper-compat"} <= set(packages)


def test_dependencies_are_not_asked_for_when_nothing_is_missing():
    result = subprocess.run(["make", "--no-print-directory", "deps"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0 and "installing" not in result.stdout

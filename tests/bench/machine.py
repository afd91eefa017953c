"""On which computer, when and with which versions figures were measured."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path


def machine():
    """Where, when and with what this was measured."""
    packages = ["flask", "werkzeug", "flask-restful", "gunicorn"]
    packages += ["flask-executor", "huey", "rq", "celery", "redis"]
    versions = {"Python": platform.python_version()}
    for package in packages:
        if importlib.util.find_spec(package.replace("-", "_")):
            versions[package] = version(package)
    if shutil.which("redis-server"):
        said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True).stdout
        versions["redis-server"] = said.split("v=")[1].split()[0]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def processor():
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.processor()

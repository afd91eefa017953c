"""The computer, the date and the versions that figures were measured with."""

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
    """Return the date, the computer and the versions of what is installed."""
    packages = ["flask", "werkzeug", "flask-restful", "gunicorn"]
    packages += ["flask-executor", "huey", "rq", "celery", "redis"]
    versions = {"Python": platform.python_version()}
    for package in packages:
        if importlib.util.find_spec(package.replace("-", "_")):
            versions[package] = version(package)
    if shutil.which("redis-server"):
        line = subprocess.run(["redis-server", "--version"], capture_output=True, text=True).stdout
        versions["redis-server"] = line.split("v=")[1].split()[0]
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

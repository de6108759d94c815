# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the module with the libportalmem that pkg-config finds, or with the
CFLAGS and LDFLAGS of the environment."""
import shlex
import subprocess

from setuptools import Extension, setup


def ask(option):
    try:
        words = subprocess.check_output(
            ["pkg-config", option, "libportalmem"],
            text=True,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.CalledProcessError):
        return []
    return shlex.split(words)


setup(
    ext_modules=[
        Extension(
            "portalmem",
            ["portalmem.c"],
            extra_compile_args=ask("--cflags"),
            extra_link_args=ask("--libs") or ["-lportalmem"],
        )
    ]
)

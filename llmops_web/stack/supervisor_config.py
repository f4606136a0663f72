"""The configuration that supervisor reads. Paths come in by environment, where a blank does no harm."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from llmops_web.stack.paths import StackPaths
from llmops_web.stack.programs import Program

CHILD = Path(__file__).with_name("child.py")

HEAD = """\
[supervisord]
nodaemon=true
silent=true
logfile=%(ENV_LLMOPS_STACK_LOGS)s/supervisor.log
logfile_maxbytes=5MB
logfile_backups=2
loglevel=info
pidfile=%(ENV_LLMOPS_STACK_RUN)s/supervisor.pid
childlogdir=%(ENV_LLMOPS_STACK_LOGS)s
nocleanup=true
umask=077
{user}
[unix_http_server]
file=%(ENV_LLMOPS_STACK_CONTROL)s
chmod=0700
username=stack
password={password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command="%(ENV_LLMOPS_STACK_PYTHON)s" -I "%(ENV_LLMOPS_STACK_CHILD)s" {name}
autostart=false
autorestart=true
startsecs=5
priority={stage}
startretries=6
stopsignal={stop_signal}
stopwaitsecs={stop_s}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile=%(ENV_LLMOPS_STACK_LOGS)s/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
stdout_events_enabled=true
"""


def supervisor_config(programs: Sequence[Program], *, password: str, as_root: bool) -> str:
    head = HEAD.format(user="user=root\n" if as_root else "", password=password)
    return head + "".join(
        PROGRAM.format(
            name=program.name, stage=program.stage + 1, stop_signal=program.stop_signal, stop_s=program.stop_s
        )
        for program in programs
    )


def supervisor_environment(paths: StackPaths) -> dict[str, str]:
    return {
        "LLMOPS_STACK_RUN": str(paths.run),
        "LLMOPS_STACK_LOGS": str(paths.logs),
        "LLMOPS_STACK_CONTROL": str(paths.control_socket),
        "LLMOPS_STACK_PYTHON": sys.executable,
        "LLMOPS_STACK_CHILD": str(CHILD),
        "LLMOPS_DATA_DIR": str(paths.data),
        "PYTHONUNBUFFERED": "1",
    }

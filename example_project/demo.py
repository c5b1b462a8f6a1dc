"""``make demo``: sandbox, web, worker and beat as processes, one log; Ctrl-C ends all of them. Standard library only."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WEB_PORT = int(os.environ.get("WEB_PORT", "8000"))
SANDBOX_PORT = int(os.environ.get("SANDBOX_PORT", "8001"))


def main() -> int:
    for name, port in (("WEB_PORT", WEB_PORT), ("SANDBOX_PORT", SANDBOX_PORT)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                print(f"port {port} is taken: choose another one, {name}=… make demo", file=sys.stderr)
                return 1
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if "VOICEPASSWORD" not in environment:
        environment["VOICEPASSWORD"] = (
            f'{{"API_URL": "http://127.0.0.1:{SANDBOX_PORT}/api/voice-password/",'
            f' "CALLBACK_BASE_URL": "http://127.0.0.1:{WEB_PORT}"}}'
        )
    manage = [sys.executable, "manage.py"]
    celery = [sys.executable, "-m", "celery", "-A", "config"]
    subprocess.run([*manage, "migrate", "--verbosity=0"], cwd=HERE, env=environment, check=True)
    password = secrets.token_urlsafe(9)
    _make_admin(manage, environment, password)
    commands = {
        "sandbox": [sys.executable, "-m", "django_voicepassword.sandbox", f"--port={SANDBOX_PORT}"],
        "web": [*manage, "runserver", "--noreload", str(WEB_PORT)],
        "worker": [*celery, "worker", "--loglevel=INFO", "--concurrency=2", "--without-mingle", "--without-gossip"],
        "beat": [*celery, "beat", "--loglevel=WARNING"],
    }
    processes: dict[str, subprocess.Popen[str]] = {}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for name, command in commands.items():
            processes[name] = _start(name, command, environment)
        _wait_for(WEB_PORT, processes)
        print(f"\n  log in:        http://127.0.0.1:{WEB_PORT}/\n  the phone:     http://127.0.0.1:{SANDBOX_PORT}/phone/")
        print(f"  admin:         http://127.0.0.1:{WEB_PORT}/admin/  admin {password}\n  Ctrl-C ends all\n", flush=True)
        while True:
            for name, process in processes.items():
                if process.poll() is not None:
                    print(f"{name} ended with {process.returncode}: see its lines above", file=sys.stderr)
                    return 1
            time.sleep(0.5)
    except KeyboardInterrupt:
        print("\nending", flush=True)
        return 0
    finally:
        _end(list(processes.values()))


def _start(name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    # A group of its own: Ctrl-C reaches us alone, and we end each with its children.
    process = subprocess.Popen(
        command,
        cwd=HERE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    threading.Thread(target=_log, args=(name, process), daemon=True).start()
    return process


def _log(name: str, process: subprocess.Popen[str]) -> None:
    for line in process.stdout or ():
        if line.strip():
            print(f"{name:>7} | {line.rstrip()}", flush=True)


def _make_admin(manage: list[str], environment: dict[str, str], password: str) -> None:
    program = (
        "import os; from django.contrib.auth import get_user_model as m; "
        "u, _ = m().objects.get_or_create(username='admin', defaults={'is_staff': True, 'is_superuser': True}); "
        "u.set_password(os.environ['ADMIN_PASSWORD']); u.save()"
    )
    command = [*manage, "shell", "--command", program, "--verbosity=0"]
    subprocess.run(command, cwd=HERE, env={**environment, "ADMIN_PASSWORD": password}, check=True)


def _wait_for(port: int, processes: dict[str, subprocess.Popen[str]]) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends and all(process.poll() is None for process in processes.values()):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)


def _end(processes: list[subprocess.Popen[str]]) -> None:
    # Each is asked first: a worker ends its own children. What is left of the groups after that is killed.
    for process in processes:
        process.terminate()
    ends = time.monotonic() + 8
    for process in processes:
        try:
            process.wait(max(ends - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            pass
    for process in processes:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    sys.exit(main())

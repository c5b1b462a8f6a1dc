"""The example project's processes, whose management commands start in a fork."""

from __future__ import annotations

from processes import HERE, Site, StartError

from tests import python_programs


class ForkedSite(Site):
    """Half of the processor time of a management command is the import of Django and Celery."""

    def manage(self, *arguments: str, **environment: str) -> str:
        done = python_programs.run(
            ["manage.py", *arguments], cwd=HERE, env={**self.environment, **environment}
        )
        if done.returncode:
            raise StartError(f"manage.py {arguments[0]} failed:\n{(done.stderr or '').strip()}")
        return done.stdout

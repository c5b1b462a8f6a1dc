# The example project, for compose.yaml. The package itself is installed from an index: pip install django-voicepassword
FROM python:3.13-slim
WORKDIR /app
COPY setup.cfg pyproject.toml MANIFEST.in README.md LICENSE CHANGELOG.md ./
COPY django_voicepassword django_voicepassword
RUN pip install --no-cache-dir '.[example]'
COPY example_project /example
WORKDIR /example
ENV PYTHONUNBUFFERED=1 VAR_DIR=/var/lib/voicepassword
RUN useradd --create-home app && mkdir -p $VAR_DIR && chown app $VAR_DIR
USER app
EXPOSE 8000 8001

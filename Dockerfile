# The service in a slim image. Its own needs are all locked, with hashes; so is what builds its wheel.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/dstack-backend

# The dependencies come first: they change seldom, and their layer stays in the builder's cache. They
# hold the extra `nostr` (12 MB): who runs the image cannot add it, and needs it for NOSTR_KEY_FILE.
# --no-deps: the lock is complete, and pip would look at what was released after it all the same.
COPY requirements/service.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/dstack-backend/bin/python install --no-compile \
        --require-hashes --no-deps -r requirements/service.txt

COPY requirements/build.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --require-hashes --no-deps -r requirements/build.txt

COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/dstack-backend/bin/python install --no-compile --no-deps dist/*.whl

# Without bytecode each start would compile anew, as nothing can be written where the service runs.
# `unchecked-hash`: it holds whatever times the files get on their way into an image. faker is 8 MB
# of it and is never imported: Litestar has it for invented examples, and ours are real ones.
RUN python -m compileall -q -j 0 -x /faker/ --invalidation-mode unchecked-hash /opt/dstack-backend


FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="dstack-backend" \
      org.opencontainers.image.description="Health backend of a DePHY GPU node: asks DStack for its GPUs, answers dephy-worker." \
      org.opencontainers.image.licenses="MIT"

COPY --from=build /opt/dstack-backend /opt/dstack-backend
ENV PATH=/opt/dstack-backend/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    DATA_DIR=/data \
    LOG_FORMAT=json

# The standard library comes without bytecode; importing what the service imports writes it, for
# that part only. pip has done its work.
RUN python -c "from dstack_backend.app import cli, demo, healthcheck; \
from dstack_backend.adapters.litestar_http.page.render import template; template()" \
    && pip uninstall --yes --quiet --root-user-action=ignore pip
ENV PYTHONDONTWRITEBYTECODE=1

# The history. A new volume takes over owner and mode; 1777 lets any user of `--user` write there.
RUN install -d -o 10001 -g 10001 -m 1777 /data
# A number, so that Kubernetes' runAsNonRoot can see that it is not root.
USER 10001:10001
VOLUME /data
EXPOSE 8080
# /livez: an outage of DStack is no reason to restart this container.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["dstack-backend", "healthcheck"]
ENTRYPOINT ["dstack-backend"]

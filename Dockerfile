# The demo on the CPU: `docker build -t conspect .`, then `docker run --rm -p 127.0.0.1:8000:8000 conspect` and look at
# http://localhost:8000/report.html. Any command: `docker run --rm -v "$PWD:/work" conspect conspect run my-study`.
FROM python:3.12-slim AS build
RUN python -m venv /opt/conspect
ENV PATH=/opt/conspect/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY constraints.txt lock/demo.txt ./
# Beside the usual index that of torch's builds without CUDA, whose "+cpu" goes before the plain version; everything else has its digest in the lock.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --extra-index-url "$TORCH_INDEX" -c constraints.txt torch \
    && pip install --no-deps --require-hashes -r demo.txt
COPY pyproject.toml README.md LICENSE ./
COPY docs docs
COPY src src
RUN pip install --no-deps .

FROM python:3.12-slim
RUN useradd --create-home --uid 1000 conspect && install -d -o conspect /work
COPY --from=build /opt/conspect /opt/conspect
COPY --chmod=755 .ci/show-demo /usr/local/bin/show-demo
ENV PATH=/opt/conspect/bin:$PATH PYTHONUNBUFFERED=1
USER conspect
WORKDIR /work
EXPOSE 8000
CMD ["show-demo"]

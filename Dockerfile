# What is built stays behind in the first stage, so that the image holds Python and Accord only.
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/accord
WORKDIR /build
# The locked packages come first: a change of Accord itself leaves their layer as it is.
COPY requirements.lock ./
RUN /opt/accord/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY domain domain
COPY projections projections
COPY consumers consumers
COPY infra infra
RUN /opt/accord/bin/pip install --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 accord && install -d -o accord /var/lib/accord
COPY --from=build /opt/accord /opt/accord
ENV PATH=/opt/accord/bin:$PATH PYTHONUNBUFFERED=1
USER accord
WORKDIR /home/accord
EXPOSE 8000
CMD ["accord", "--help"]

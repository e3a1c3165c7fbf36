# A service for the runs in /runs. Build and start it, with a token of at least 16 characters:
#   docker build -t autoencode .
#   docker run -p 8000:8000 -e AUTOENCODE_TOKEN -v "$PWD/runs:/runs:ro" autoencode vae-mnist
FROM python:3.11-slim
RUN pip install --no-cache-dir "autoencode[serve]" \
    && useradd --create-home --uid 10001 autoencode
USER autoencode
WORKDIR /runs
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz')"]
ENTRYPOINT ["autoencode", "serve", "--host", "0.0.0.0"]

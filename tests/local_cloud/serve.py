# A local cloud for the harness: ministack on a free port, until standard input is closed. Its port is the first line on standard output.
#
# Every line on standard input is a JSON object, and is answered by one:
#   {"service", "operation", "parameters"}   a call of boto3 as the root of the account; `{"$bootstrap": path}` is a package with that binary
#   {"template": path}                       the template as JSON, its short intrinsic functions written out
#   {"expression", "text"}                   whether the regular expression fits the text: all of it, and somewhere in it

import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

ACCOUNT, REGION = "111122223333", "eu-west-1"
os.environ.update({"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION})

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from samtranslator.yaml_helper import yaml_parse

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
folder = tempfile.TemporaryDirectory(prefix="palisade-local-cloud-")
ministack = subprocess.Popen(
    [sys.executable, "-m", "ministack"],
    # Nothing of ours: ministack hands its environment to the functions, which refuse to start with what they do not know.
    env={
        "PATH": os.environ.get("PATH", os.defpath),
        "AUTH": "true",  # IAM is enforced
        "LAMBDA_EXECUTOR": "local",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "S3_DATA_DIR": folder.name + "/s3",
        "TMPDIR": folder.name,
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.1",  # Lambda waits a minute
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    },
    cwd=folder.name,
    stdin=subprocess.DEVNULL,
    stdout=open(os.environ.get("LOCAL_CLOUD_LOG", os.devnull), "w"),
    stderr=subprocess.STDOUT,
)
url = f"http://127.0.0.1:{port}"


def wait_until_it_answers():
    for _ in range(600):
        try:
            urllib.request.urlopen(url + "/_ministack/health", timeout=2).read()
            return
        except OSError:
            if ministack.poll() is not None:
                sys.exit(1)
            time.sleep(0.1)
    sys.exit(1)


def packed(binary):
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive, open(binary, "rb") as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, file.read())
    return package.getvalue()


def with_packages(value):
    if isinstance(value, dict):
        if set(value) == {"$bootstrap"}:
            return packed(value["$bootstrap"])
        return {name: with_packages(inner) for name, inner in value.items()}
    return [with_packages(inner) for inner in value] if isinstance(value, list) else value


def plain(value):
    if isinstance(value, StreamingBody):
        value = value.read()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


clients = {}


def call(service, operation, parameters):
    if service not in clients:
        settings = Config(retries={"total_max_attempts": 1}, read_timeout=300)
        clients[service] = boto3.client(service, endpoint_url=url, config=settings)
    return getattr(clients[service], operation)(**with_packages(parameters))


def answer(request):
    if "template" in request:
        with open(request["template"], encoding="utf-8") as file:
            return yaml_parse(file.read())
    if "expression" in request:
        expression, text = request["expression"], request["text"]
        return {"whole": bool(re.fullmatch(expression, text)), "part": bool(re.search(expression, text))}
    try:
        return call(request["service"], request["operation"], request["parameters"])
    except ClientError as error:
        return {"$error": error.response["Error"]}
    except Exception as error:  # noqa: BLE001 - told, and the test fails by it
        return {"$error": {"Code": type(error).__name__, "Message": str(error)}}


try:
    wait_until_it_answers()
    print(port, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line)), default=plain), flush=True)
finally:
    ministack.terminate()
    ministack.wait()
    folder.cleanup()

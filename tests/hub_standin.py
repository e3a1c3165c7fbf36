"""A stand-in for the HTTP API of the Hugging Face hub, as huggingface_hub 1.x uses it."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

WRITER, READER = "hf_a-token-that-writes", "hf_a-token-that-reads"


class Repository:
    """Commits, newest last: (sha, path -> content). Files beyond 10 MB or binary ones are LFS."""

    def __init__(self, private=False):
        self.private = private
        self.commits = []
        self.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        self.branches = {}
        # What the hub claims of files, if not the truth: path -> (size, digest).
        self.claims = {}

    def commit(self, files):
        sha = hashlib.sha1(repr((len(self.commits), sorted(files))).encode()).hexdigest()
        self.commits.append((sha, dict(files)))
        return sha

    @property
    def files(self):
        return self.commits[-1][1]

    def at(self, revision):
        """The commit of a branch, a tag or a sha; None if there is none."""
        if revision in (None, "main", "HEAD"):
            return self.commits[-1]
        revision = self.branches.get(revision, revision)
        return next((each for each in self.commits if each[0] == revision), None)


def is_lfs(path):
    return path.endswith((".safetensors", ".png", ".bin", ".pkl"))


def blob_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def digest_of(path, content):
    return hashlib.sha256(content).hexdigest() if is_lfs(path) else blob_id(content)


class Answer(Exception):
    def __init__(self, status, body=b"", **headers):
        self.status, self.body, self.headers = status, body, headers


def refused(status, code, text):
    body = json.dumps({"error": text}).encode()
    return Answer(status, body, **{"X-Error-Code": code, "X-Error-Message": text})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        hub, address = self.server.hub, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        self.content = self.rfile.read(length)
        hub.requests.append((self.command, address.path))
        try:
            for fault in list(hub.faults):
                fault(self, address.path)
            answer = self.route(unquote(address.path))
        except Answer as found:
            answer = found
        if answer.status == 0:  # the fault has closed the connection
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    @property
    def token(self):
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None

    def writer(self):
        if self.token is None:
            raise refused(401, "", "Invalid username or password.")
        if self.token not in (WRITER, READER):
            raise refused(401, "", "Invalid credentials in Authorization header")
        if self.token != WRITER:
            raise refused(403, "", "You don't have the required permissions to write")

    def repository(self, name):
        found = self.server.hub.repositories.get(name)
        allowed = self.token in (WRITER, READER)
        if found is None or (found.private and not allowed):
            raise refused(401 if not allowed else 404, "RepoNotFound", "Repository not found")
        return found

    def commit_of(self, repository, revision):
        found = repository.at(revision)
        if found is None:
            raise refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def route(self, path):
        for pattern, method in ROUTES:
            if match := re.fullmatch(pattern, path):
                return getattr(self, method)(*match.groups())
        raise refused(404, "", f"No route {self.command} {path}")

    def json(self, content, status=200):
        return Answer(status, json.dumps(content).encode(), Content_Type="application/json")

    def create(self):
        self.writer()
        given, hub = json.loads(self.content), self.server.hub
        name = f"{given['organization']}/{given['name']}"
        if name in hub.repositories:
            body = {"error": "You already created this model repo", "url": f"{hub.address}/{name}"}
            return self.json(body, 409)
        hub.repositories[name] = Repository(given.get("visibility") == "private")
        return self.json({"url": f"{hub.address}/{name}"})

    def validate(self):
        text = json.loads(self.content)["content"]
        head = yaml.safe_load(text.split("---")[1]) if text.startswith("---\n") else {}
        if head.get("license") == "unknown-license":
            error = {"message": '"license" must be one of [mit, …]'}
            return self.json({"errors": [error], "warnings": []}, 400)
        return self.json({"errors": [], "warnings": []})

    def info(self, name, revision=None):
        repository = self.repository(name)
        sha, files = self.commit_of(repository, revision)
        siblings = []
        for path, content in files.items():
            size, digest = repository.claims.get(path, (len(content), None))
            entry = {"rfilename": path, "size": size, "blobId": digest or blob_id(content)}
            if is_lfs(path):
                digest = digest or hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"size": size, "sha256": digest, "pointerSize": 130}
            siblings.append(entry)
        owner = name.split("/")[0]
        return self.json(
            {"id": name, "modelId": name, "author": owner, "sha": sha, "siblings": siblings}
            | {"private": repository.private, "tags": [], "downloads": 0, "likes": 0}
        )

    def tree(self, name, revision):
        files = self.commit_of(self.repository(name), revision)[1]
        entries = []
        for path, content in files.items():
            entry = {"type": "file", "path": path, "size": len(content), "oid": blob_id(content)}
            if is_lfs(path):
                digest = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
            entries.append(entry)
        return self.json(entries)

    def preupload(self, name, revision):
        self.writer()
        files = self.commit_of(self.repository(name), revision)[1]
        found = []
        for each in json.loads(self.content)["files"]:
            path = each["path"]
            mode = "lfs" if is_lfs(path) else "regular"
            old = digest_of(path, files[path]) if path in files else None
            found.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": old})
        return self.json({"files": found})

    def batch(self, name):
        self.writer()
        self.repository(name)
        hub, objects = self.server.hub, []
        for each in json.loads(self.content)["objects"]:
            entry = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in hub.large:
                entry["actions"] = {"upload": {"href": f"{hub.address}/lfs/{each['oid']}"}}
            objects.append(entry)
        return self.json({"transfer": "basic", "objects": objects})

    def store(self, oid):
        assert hashlib.sha256(self.content).hexdigest() == oid
        self.server.hub.large[oid] = self.content
        return Answer(200)

    def commit(self, name, revision):
        self.writer()
        repository, hub = self.repository(name), self.server.hub
        files = dict(repository.files)
        for line in self.content.splitlines():
            each = json.loads(line)
            value = each["value"]
            if each["key"] == "header":
                hub.messages.append(value["summary"])
                if (
                    value.get("parentCommit", repository.commits[-1][0])
                    != repository.commits[-1][0]
                ):
                    raise refused(412, "", "A commit has happened since")
            elif each["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif each["key"] == "lfsFile":
                files[value["path"]] = hub.large[value["oid"]]
            else:
                assert each["key"] == "deletedFile"
                del files[value["path"]]
        sha = repository.commit(files)
        url = f"{hub.address}/{name}/commit/{sha}"
        return self.json({"success": True, "commitOid": sha, "commitUrl": url})

    def resolve(self, name, revision, path):
        repository = self.repository(name)
        sha, files = self.commit_of(repository, revision)
        if path not in files:
            raise refused(404, "EntryNotFound", "Entry not found")
        content = files[path]
        digest = digest_of(path, content)
        headers = {"X-Repo-Commit": sha, "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        headers |= {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": len(content)}
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            return Answer(206, content[int(match[1]) :], **headers)
        return Answer(200, content, **headers)


NAME = r"([\w.-]+/[\w.-]+)"
ROUTES = [
    (r"/api/repos/create", "create"),
    (r"/api/validate-yaml", "validate"),
    (rf"/api/models/{NAME}", "info"),
    (rf"/api/models/{NAME}/revision/(.+)", "info"),
    (rf"/api/models/{NAME}/tree/([^/]+)", "tree"),
    (rf"/api/models/{NAME}/preupload/(.+)", "preupload"),
    (rf"/api/models/{NAME}/commit/(.+)", "commit"),
    (rf"/{NAME}\.git/info/lfs/objects/batch", "batch"),
    (r"/lfs/(\w+)", "store"),
    (rf"/{NAME}/resolve/([^/]+)/(.+)", "resolve"),
]


class Hub:
    """The server. `faults` are called with the request and its path; they may raise `Answer`."""

    def __init__(self):
        self.repositories, self.large = {}, {}
        self.faults, self.requests, self.messages = [], [], []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.hub = self
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, name, files, private=False):
        """A repository with these files, as others may have uploaded them."""
        self.repositories[name] = Repository(private)
        self.repositories[name].commit(files)
        return self.repositories[name]

    def fail(self, status, on="", times=10**6, **headers):
        """Answer requests whose path contains `on` with an error."""
        left = [times]

        def fault(request, path):
            if on in path and left[0] > 0:
                left[0] -= 1
                raise Answer(status, b'{"error": "out of order"}', **headers)

        self.faults.append(fault)

    def cut(self, on, after=10, times=10**6):
        """Close the connection in the middle of files whose path contains `on`."""
        left = [times]

        def fault(request, path):
            if request.command != "GET" or on not in path or left[0] <= 0:
                return
            left[0] -= 1
            answer = request.route(unquote(path))
            request.send_response(answer.status)
            request.send_header("Content-Length", str(len(answer.body)))
            request.end_headers()
            request.wfile.write(answer.body[:after])
            request.wfile.flush()
            request.connection.shutdown(2)
            raise Answer(0)

        self.faults.append(fault)

    def hang(self, on, seconds):
        """Wait before the answer."""

        def fault(request, path):
            if on in path:
                threading.Event().wait(seconds)

        self.faults.append(fault)

"""The scoring API behind its own server: TLS without client certificates, bounds, a graceful stop."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest

from parties.config import Config, parse
from parties.keys import tls
from parties.link.server import ApiServer
from vfl.errors import ConfigError


@contextmanager
def serving(config: Config, app: Any, **settings: Any) -> Iterator[str]:
    api = msgspec.structs.replace(config.api, port=0, **settings)
    server = ApiServer(msgspec.structs.replace(config, api=api), app)
    server.expiration_interval = 0.05
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    scheme = "https" if server.ssl_adapter else "http"
    try:
        yield f"{scheme}://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join()


def client_of(config: Config, **versions: ssl.TLSVersion) -> httpx.Client:
    context = ssl.create_default_context(cafile=tls.files_of(config).ca)
    for name, version in versions.items():
        setattr(context, name, version)
    return httpx.Client(verify=context)


def test_clients_need_a_key_and_no_certificate(api: Any) -> None:
    """Over TLS 1.2 and 1.3 alike a client checks the server's certificate and shows its key."""
    records = {"records": [{"keys": {"customer_id": key}} for key in list(api.scores)[:3]]}
    with serving(api.config, api.app) as url:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with client_of(api.config, maximum_version=version) as client:
                answer = client.post(f"{url}/v1/models/m1/score", json=records, headers=api.headers)
                assert answer.status_code == 200
                assert [one["score"] for one in answer.json()["results"]] == list(api.scores.values())[:3]
                assert client.get(f"{url}/v1/models").status_code == 401


def test_tls_below_1_2_is_not_spoken(api: Any) -> None:
    """The context of the server refuses what is no longer safe."""
    files = tls.files_of(api.config)
    assert tls.public_context(files.certificate, files.key).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_body_beyond_the_bound_is_refused_and_the_server_goes_on(api: Any) -> None:
    """413 comes before the body is read, whatever its length."""
    with serving(api.config, api.app) as url, client_of(api.config) as client:
        headers = {**api.headers, "Content-Type": "application/json"}
        answer = client.post(f"{url}/v1/models/m1/score", content=b" " * 9_000_000, headers=headers)
        assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")
        chunks = iter([b" " * 1_000] * 10)
        assert client.post(f"{url}/v1/models/m1/score", content=chunks, headers=headers).status_code == 411
        assert client.get(f"{url}/healthz").text == "ok\n"


def test_more_connections_than_kept_are_served(api: Any) -> None:
    """Beyond the number that stay open, connections are closed after their answer, not refused."""
    with serving(api.config, api.app, connections=1) as url:
        clients = [client_of(api.config) for _ in range(4)]
        assert [client.get(f"{url}/healthz").status_code for client in clients * 2] == [200] * 8
        for client in clients:
            client.close()


def test_a_stop_lets_requests_at_work_finish(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is being scored when the server is stopped still gets its score."""
    started, answers = threading.Event(), []
    score = api.app.view_functions["score"]

    def slowly(**path: Any) -> Any:
        started.set()
        time.sleep(0.3)
        return score(**path)

    monkeypatch.setitem(api.app.view_functions, "score", slowly)
    body = {"records": [{"keys": {"customer_id": next(iter(api.scores))}}]}
    with client_of(api.config) as client:
        with serving(api.config, api.app) as url:

            def ask() -> None:
                answers.append(client.post(f"{url}/v1/models/m1/score", json=body, headers=api.headers))

            asking = threading.Thread(target=ask)
            asking.start()
            assert started.wait(5)
        asking.join()
    assert [answer.status_code for answer in answers] == [200]


def test_plain_http_is_for_loopback_only(api: Any) -> None:
    """It is spoken where asked for on this machine, and refused by the configuration anywhere else."""
    with serving(api.config, api.app, plain_http=True) as url:
        assert url.startswith("http:")
        assert httpx.get(f"{url}/healthz").text == "ok\n"
    document = {"party": {"name": "bank", "role": "label"}, "data": msgspec.to_builtins(api.config.data)}
    document["data"] = {key: value for key, value in document["data"].items() if value is not None}
    for host, good in (("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)):
        api_section = {"plain_http": True, "host": host}
        if good:
            assert parse({**document, "api": api_section}, api.config.directory).api.plain_http
        else:
            with pytest.raises(ConfigError, match="can be reached by others"):
                parse({**document, "api": api_section}, api.config.directory)


def test_a_certificate_without_its_key_is_refused(api: Any) -> None:
    """Both are given or neither."""
    document = {"party": {"name": "bank", "role": "label"}, "api": {"certificate": "x.pem"}}
    with pytest.raises(ConfigError, match=r"together with api\.key"):
        parse(document, api.config.directory)

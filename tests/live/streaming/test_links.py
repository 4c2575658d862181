"""What is printed to be opened."""

from __future__ import annotations

import ipaddress

import cv2
import numpy as np
import pytest
from cryptography import x509

from face.errors import UserError
from live.app import _print_links, _tokens
from live.arguments import parse
from live.options import Options
from live.streaming.http import links, tls
from live.streaming.http.access import Tokens
from live.streaming.http.server import ServerSettings

pytestmark = pytest.mark.fast


class _Ip:
    def __init__(self, ip) -> None:
        self.ip = ip


class _Adapter:
    def __init__(self, *ips) -> None:
        self.ips = [_Ip(ip) for ip in ips]


@pytest.fixture
def lan(monkeypatch):
    adapters = [
        _Adapter("127.0.0.1", ("::1", 0, 0)),
        _Adapter(("fe80::1", 0, 2), ("2001:db8::5", 0, 0), "203.0.114.9", "192.168.1.7"),
    ]
    monkeypatch.setattr(links.ifaddr, "get_adapters", lambda: adapters)


def test_addresses_are_those_that_others_reach(lan):
    assert links.lan_addresses() == ["192.168.1.7", "203.0.114.9", "2001:db8::5"]


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "localhost"), ("0.0.0.0", "192.168.1.7"), ("::", "192.168.1.7"), ("a.example", "a.example")],
)
def test_the_printed_host_can_be_opened(lan, host, shown):
    assert links.reachable_host(host) == shown


@pytest.mark.parametrize(
    ("words", "address"),
    [
        (("localhost", 80, False), "http://localhost:80"),
        (("2001:db8::5", 443, True), "https://[2001:db8::5]:443"),
        (("h", 1, True, "a+b/c== &"), "https://h:1/#token=a%2Bb%2Fc%3D%3D%20%26"),
    ],
)
def test_links(words, address):
    assert links.link(*words) == address


def test_a_certificate_names_every_address(lan, tmp_path):
    certificate, _ = tls.self_signed(tmp_path, "::")
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    assert {"127.0.0.1", "::1", "192.168.1.7", "203.0.114.9", "2001:db8::5"} == addresses
    assert ipaddress.ip_address("::1") in names.get_values_for_type(x509.IPAddress)


def test_a_qr_code_is_read_back():
    text = "https://192.168.1.7:8080/#token=abc%2B"
    levels = {"█": (255, 255), " ": (0, 0), "▀": (255, 0), "▄": (0, 255)}
    lines = list(links.qr_code(text))
    assert len({len(line) for line in lines}) == 1
    image = np.array([[levels[c][half] for c in line] for line in lines for half in (0, 1)], np.uint8)
    image = cv2.copyMakeBorder(
        np.kron(image, np.ones((8, 8), np.uint8)), 32, 32, 32, 32, cv2.BORDER_CONSTANT, value=255
    )
    assert cv2.QRCodeDetector().detectAndDecode(image)[0] == text


def arguments(*words: str) -> Options:
    return parse(list(words))


def test_on_this_machine_no_token_is_wanted(monkeypatch):
    assert _tokens(arguments()) == Tokens(None, None)
    assert _tokens(arguments("--token", "a")) == Tokens("a", None)
    assert _tokens(arguments("--token", "a", "--view-token", "b")) == Tokens("a", "b")


def test_tokens_for_others_are_made_up(monkeypatch):
    made = _tokens(arguments("--host", "0.0.0.0"))
    assert made.operator and made.viewer and made.operator != made.viewer
    given = _tokens(arguments("--host", "0.0.0.0", "--token", "a"))
    assert given.operator == "a" and given.viewer
    monkeypatch.setenv("HEAD2HEAD_TOKEN", "a")  # a service: nothing is made up that its log would keep
    assert _tokens(arguments("--host", "0.0.0.0")) == Tokens("a", None)


@pytest.mark.parametrize(
    "words", [("--token", "ä"), ("--token", "a\n"), ("--token", " a"), ("--token", "a", "--view-token", "a"),
              ("--view-token", "a")],
)  # fmt: skip
def test_tokens_that_cannot_be_used_are_refused(words):
    with pytest.raises(UserError):
        _tokens(arguments(*words))


@pytest.mark.parametrize("name", ["HEAD2HEAD_TOKEN", "HEAD2HEAD_VIEW_TOKEN"])
def test_a_token_of_the_environment_is_not_printed(monkeypatch, capsys, name):
    monkeypatch.setenv("HEAD2HEAD_TOKEN", "operators-secret")
    monkeypatch.setenv("HEAD2HEAD_VIEW_TOKEN", "viewers-secret")
    options = arguments("--host", "0.0.0.0")
    _print_links(options, 8080, ServerSettings(tokens=_tokens(options)), True)
    printed = capsys.readouterr().out
    assert "secret" not in printed and "HEAD2HEAD_TOKEN" in printed


def test_both_links_are_printed(capsys, lan):
    options = arguments("--host", "0.0.0.0", "--token", "a/b", "--view-token", "c=")
    _print_links(options, 8080, ServerSettings(tokens=_tokens(options)), True)
    printed = capsys.readouterr().out
    assert "open https://192.168.1.7:8080/#token=a%2Fb" in printed
    assert "for viewers: https://192.168.1.7:8080/#token=c%3D" in printed

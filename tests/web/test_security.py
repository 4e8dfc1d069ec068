# SPDX-License-Identifier: Apache-2.0
"""What must not get in (R25): requests without a session, with another's token, from elsewhere, and whoever
holds connections, sends too much or nothing. On a real pair; nothing of it moves the role."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from board.lab.pair import Lab

from counts import count
from labtools import other, qx, wait_for
from pairs import get
from qx.web.news import READERS
from web.conftest import address_of, answers, connecting, serial, visitor
from web.visitor import NEW, Visitor

SCRIPT = "<script>alert(1)</script>"
EVIL = {"Origin": "http://evil.example"}


def group_change(page: Visitor, **values: str) -> list[tuple[str, str]]:
    form = page.get("/setup/redundancy").page.form("/setup/redundancy")
    kept = [(name, value) for name, value in form.fields if name not in values]
    return [*kept, *values.items()]


def test_without_a_session_nothing_is_shown_and_nothing_changes(lab: Lab, master: str) -> None:
    """R25: a page leads to the login, a form is refused in words."""
    nobody = visitor(lab, master)
    assert nobody.ask("GET", "/setup/redundancy").headers["location"] == "/login?to=/setup/redundancy"
    before = get(lab, master, "redundancy.sync_interval")
    answer = nobody.sent("/setup/redundancy", [("redundancy.sync_interval", "77")])
    assert answer.code == 403 and "You are not logged in" in answer.text
    nobody.cookies[f"qx-{serial(master)}"] = "A" * 43
    assert nobody.sent("/setup/redundancy", [("redundancy.sync_interval", "77")]).code == 403
    assert get(lab, master, "redundancy.sync_interval") == before


def live(lab: Lab, master: str, admin: Visitor) -> tuple[socket.socket, int]:
    """A page's stream of news, and how it was answered."""
    cookies = "; ".join(f"{name}={value}" for name, value in admin.cookies.items())
    made = connecting(lab, address_of(lab, master))()
    made.sendall(f"GET /live HTTP/1.1\r\nHost: qx\r\nCookie: {cookies}\r\n\r\n".encode())
    return made, int(made.recv(4096).split()[1])


def test_pages_that_were_left_keep_no_place(lab: Lab, master: str, admin: Visitor) -> None:
    """R28: whoever goes through many pages has live ones at the end; as many as there is room for."""
    for _ in range(READERS + 4):
        live(lab, master, admin)[0].close()

    def all_places() -> bool:
        made = [live(lab, master, admin) for _ in range(READERS + 1)]
        for sock, _ in made:
            sock.close()
        return [code for _, code in made] == [200] * READERS + [204]

    wait_for(all_places, 4.0, "there is room for as many pages as before, and no more", 0.3)


def test_a_form_counts_with_its_own_sessions_token_and_from_its_own_pages_only(
    lab: Lab, master: str, admin: Visitor
) -> None:
    """R25: CSRF. The same form goes through without the foreign parts, so it was these that were refused."""
    another = visitor(lab, master)
    another.login("admin", NEW)
    stolen = dict(group_change(another))["csrf"]
    fields = group_change(admin, **{"redundancy.sync_interval": "61"})
    wrong = [(name, stolen if name == "csrf" else value) for name, value in fields]
    missing = [(name, value) for name, value in fields if name != "csrf"]
    for sent, headers in (
        (wrong, {}), (missing, {}), (fields, EVIL), (fields, {"Sec-Fetch-Site": "cross-site"}),
        (fields, {"Origin": "null"}),
    ):  # fmt: skip
        answer = admin.sent("/setup/redundancy", sent, headers)
        assert answer.code == 403 and "Nothing was changed" in answer.text, headers
        assert get(lab, master, "redundancy.sync_interval") == "60"
    own = {"Origin": f"http://{address_of(lab, master)}"}
    assert "Saved." in admin.post("/setup/redundancy", fields, own).text
    assert get(lab, master, "redundancy.sync_interval") == "61"
    admin.submit("/setup/redundancy", redundancy__sync_interval="60")


def test_cookies_and_headers_protect_the_page(lab: Lab, master: str) -> None:
    """R25: HttpOnly, SameSite, the unit's serial in the name; a policy that runs nothing inline."""
    fresh = visitor(lab, master)
    form = fresh.get("/login").page.form("/login")
    answer = fresh.sent("/login", [*form.fields[:1], ("user", "admin"), ("password", NEW)])
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"qx-{serial(master)}=") and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    policy = fresh.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy


def test_script_in_every_text_is_text(lab: Lab, master: str, admin: Visitor) -> None:
    """R28 and bad input: names, texts of requests and of forms come back as what was typed."""
    path = "/setup/extensions/row?table=extensions"
    fields = dict(admin.get(path).page.form("/setup/extensions/row").fields)
    fields |= {"row": "199", "extensions..name": SCRIPT, "extensions..display": '"><img src=x>', "do": "save"}
    assert "Saved." in admin.post("/setup/extensions/row", list(fields.items())).text
    pages = [
        admin.get(each)
        for each in ("/setup/extensions", "/setup/extensions/row?table=extensions&row=199", "/status/history",
                     "/setup/extensions?find=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
                     "/setup/extensions/row?table=%3Cscript%3E", "/status/conflicts/one?number=%3Cscript%3E")
    ]  # fmt: skip
    pages.append(admin.submit("/setup/time", time__zone=SCRIPT))
    pages.append(visitor(lab, master).login(SCRIPT, SCRIPT))
    assert SCRIPT in pages[0].page.words
    for page in pages:
        assert "<script>alert" not in page.text and "<img src=x" not in page.text
    admin.post("/setup/extensions/row",
                [("csrf", fields["csrf"]), ("table", "extensions"), ("row", "199"),
                 ("do", "delete")])  # fmt: skip
    assert "199" not in admin.get("/setup/extensions").page.flat


def test_the_backups_pages_through_the_master(lab: Lab, master: str, admin: Visitor) -> None:
    """R27: another session, under another name, and its own words; a plain connection to the passage is not
    answered."""
    through = visitor(lab, master, 7777)
    assert "Login" in through.get("/").text
    assert "Am I protected?" in through.login("admin", NEW).text
    assert "Device is in Backup mode" in through.get("/setup/redundancy").page.flat
    assert set(through.cookies) == {f"qx-{serial(other(master))}"}
    mixed = visitor(lab, master)
    mixed.cookies = dict(through.cookies)
    assert mixed.ask("GET", "/").headers["location"] == "/login"
    assert not answers(lab, address_of(lab, other(master)), 7777)  # only the Master's is open
    plain = connecting(lab, address_of(lab, other(master)), 7781)()
    with plain:
        plain.sendall(b"PROXY TCP4 10.77.0.9 10.77.0.1 0 0\r\nGET /login HTTP/1.0\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in plain.recv(4096)


def test_https_has_the_units_own_certificate(lab: Lab, master: str) -> None:
    """R25: beside HTTP, with a key that browsers take; its cookie is for HTTPS alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def connect() -> socket.socket:
        return context.wrap_socket(connecting(lab, address_of(lab, master), 443)())

    secured = Visitor(address_of(lab, master), 443, connect)
    form = secured.get("/login").page.form("/login")
    answer = secured.sent("/login", [*form.fields[:1], ("user", "admin"), ("password", NEW)])
    assert "; Secure" in answer.headers["set-cookie"]
    assert "Am I protected?" in secured.get("/").text


def quick(page: Visitor) -> float:
    """Seconds for a user's page; it must be the page."""
    start = time.monotonic()
    assert "Am I protected?" in page.get("/").text
    return time.monotonic() - start


def test_silent_and_slow_connections_keep_nobody_out(lab: Lab, master: str, admin: Visitor) -> None:
    """Issue: 200 connections that send nothing, and slow senders: a user has his page within a second, and
    the role stays."""
    connect = connecting(lab, address_of(lab, master))
    held: list[socket.socket] = []
    try:
        for number in range(200):
            held.append(connect())
            if number % 4 == 0:
                held[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        times = sorted(quick(admin) for _ in range(10))
        print(f"median {times[5] * 1e3:.0f} ms, worst {times[-1] * 1e3:.0f} ms")
        assert times[-1] < 1.0
    finally:
        for one in held:
            one.close()
    assert qx(lab, master)["role"] == "master"


def test_malformed_requests_are_answered_in_words(lab: Lab, master: str, admin: Visitor) -> None:
    """Bad input: 400 and what was expected; the next page is there."""
    connect = connecting(lab, address_of(lab, master))
    for octets, code in (
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", 400), (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400), (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4000 + b"\r\n", 400),
        (b"POST /login HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /login HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", 404), (b"GET /static/../site.py HTTP/1.1\r\n\r\n", 404),
        (b"DELETE /setup/redundancy HTTP/1.1\r\n\r\n", 405), (b"GET /%ff%fe HTTP/1.1\r\n\r\n", 404),
    ):  # fmt: skip
        with connect() as connection:
            connection.sendall(octets)
            answer = b"".join(iter(lambda c=connection: c.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.0 %d" % code), (octets[:60], answer[:200])
    assert quick(admin) < 1.0


def test_a_large_upload_is_refused_by_its_length_and_by_what_comes(
    lab: Lab, master: str, admin: Visitor
) -> None:
    """Issue: 1 GB upload: neither memory nor flash takes it, and no role change."""
    start = time.monotonic()
    with connecting(lab, address_of(lab, master))() as connection:
        head = (
            "POST /maintenance/configuration/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n"
            f"Cookie: {'; '.join(f'{n}={v}' for n, v in admin.cookies.items())}\r\n\r\n"
        )
        connection.sendall(head.encode() + b"--b\r\n")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.0 413"), answer[:200]
    assert time.monotonic() - start < 5
    assert quick(admin) < 1.0
    assert qx(lab, master)["role"] == "master"


@pytest.fixture(scope="module")
def many() -> int:
    return count(40, 10_000)


def test_logins_without_end_are_locked_out_and_a_user_who_is_in_goes_on(
    lab: Lab, master: str, admin: Visitor, many: int
) -> None:
    """R25: a lockout with words; who is logged in has his page within a second; the event is there."""
    source = "10.77.0.60"  # what is locked is the address: it must not be that of the other tests
    lab.exec("pc", ["ip", "address", "replace", f"{source}/24", "dev", "lan"]).check_returncode()
    where = address_of(lab, master)
    guesser = Visitor(where, 80, connecting(lab, where, 80, source))
    waits: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        guessing = pool.submit(
            lambda: [guesser.login("nobody", f"guess {number}").code for number in range(many)]
        )
        while not guessing.done():
            waits.append(quick(admin))
            time.sleep(0.05)
        codes = guessing.result()
    print(f"{len(waits)} pages meanwhile, the slowest in {max(waits) * 1e3:.0f} ms")
    assert max(waits) < 1.0
    assert set(codes) <= {403, 429} and codes.count(429) > many // 2, codes
    assert "locked" in guesser.login("nobody", "guess").text
    assert quick(admin) < 1.0
    assert "Login lockout" in admin.get("/status/events").page.flat

"""A mail server that takes everything, or nothing (RFC 5321, as little of it as smtplib needs)."""

from __future__ import annotations

import socketserver

from tests.ports import free_ports


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that takes everything (RFC 5321, as little of it as smtplib needs)."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str]] = []
        self.broken = False
        super().__init__(("127.0.0.1", free_ports()), _Session)


class _Session(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        to: list[str] = []
        self._say("220 mail.example")
        while line := self.rfile.readline().decode("latin-1").strip():
            verb = line.split(":")[0].split(" ")[0].upper()
            if verb == "RCPT":
                to.append(line)
                self._say("550 no" if self.server.broken else "250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.server.mails.append((to, text.decode()))
                self._say("250 ok")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

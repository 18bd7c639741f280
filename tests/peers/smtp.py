"""A mail server, by aiosmtpd, for emberwatch's tests.

Options, each a word of the command line:  tls CERTIFICATE KEY (STARTTLS required) · login USER PASSWORD ·
busy (the first mail is put off with 451)

stdout, one event a line:  listening PORT · mail {"from": …, "to": […], "tls": …, "data": …} · put-off
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(word, what=""):
    print(word, what, flush=True)


class Box:
    def __init__(self, busy):
        self.busy = busy

    async def handle_DATA(self, server, session, envelope):
        if self.busy:
            self.busy = False
            say("put-off")
            return "451 try again later"
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "user": session.auth_data.decode() if session.authenticated else None,
            "data": envelope.content.decode(),
        }
        say("mail", json.dumps(mail))
        return "250 taken"


async def main(words):
    options = {}
    while words:
        word = words.pop(0)
        count = {"tls": 2, "login": 2, "busy": 0}[word]
        options[word], words = words[:count], words[count:]
    more = {}
    if "tls" in options:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options["tls"])
        more = {"tls_context": context, "require_starttls": True}
    if "login" in options:
        user, password = (word.encode() for word in options["login"])

        def authenticate(_server, _session, _envelope, _mechanism, given):
            good = (given.login, given.password) == (user, password)
            return AuthResult(success=good, handled=good, auth_data=given.login)

        more |= {"authenticator": authenticate, "auth_required": True}
    box = Box("busy" in options)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, hostname="mail.test", **more), "127.0.0.1", 0)
    say("listening", server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main(sys.argv[1:]))

"""Sessions: a signed cookie that names the user and holds the token of their forms."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from threading import Lock
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeTimedSerializer

COOKIE: Final = "crm_session"
SECONDS: Final = 12 * 3600
"""After which one has to sign in again."""


@dataclass(frozen=True)
class Session:
    """Of a browser.

    csrf: the token of every form; login: None before they sign in; mark: :attr:`users.User.mark`; told: what the next
    page has to say, as the key of a text and its values; began: when they signed in, in seconds since 1970.
    """

    csrf: str
    login: str | None = None
    mark: str | None = None
    told: tuple[str, dict[str, object]] | None = None
    began: float = 0

    def accepts(self, token: str | None) -> bool:
        """Whether a form comes from a page that this cookie was shown."""
        return token is not None and hmac.compare_digest(token.encode(), self.csrf.encode())


class Sessions:
    """Makes cookies of sessions, and sessions of cookies that it made. It knows those that were ended in this process.

    Args:
        secret_key: signs the cookies.
        clock: seconds since 1970.
    """

    def __init__(self, secret_key: str, clock: Callable[[], float] = time.time):
        self._signer = URLSafeTimedSerializer(secret_key, salt="crm-web-session")
        self._clock = clock
        self._ended: dict[str, float] = {}
        self._lock = Lock()

    def begin(self, login: str | None = None, mark: str | None = None) -> Session:
        """A session with a token of its own, from now on."""
        return Session(secrets.token_urlsafe(24), login, mark, began=self._clock())

    def end(self, session: Session) -> None:
        """From now on no cookie of it counts, copied ones included."""
        now = self._clock()
        with self._lock:
            self._ended = {token: until for token, until in self._ended.items() if until > now}
            self._ended[session.csrf] = session.began + SECONDS

    def cookie(self, session: Session) -> str:
        """The value of the cookie."""
        return str(self._signer.dumps(astuple(session)))

    def session(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None where it is none of ours, was ended, or began too long ago."""
        if cookie is None:
            return None
        try:
            given: Any = self._signer.loads(cookie, max_age=SECONDS)
        except BadSignature:
            return None
        session = Session(*given)
        over = self._clock() - session.began >= SECONDS or session.csrf in self._ended
        return None if over else session

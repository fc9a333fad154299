"""Middleware that adds headers which tell browsers to be careful with a response."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY_NAME = b"content-security-policy"
POLICY = (POLICY_NAME, b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
"""A browser that shows the response as a page loads nothing for it and runs no script, and no page may frame it. Styles
are allowed, since browsers centre a picture that is opened by itself with styles of their own."""
HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
"""A browser believes the Content-Type of the response, and tells no site from which page a link led to it."""


class SecurityHeaders:
    """Adds HEADERS to every response, and POLICY to those that have no Content-Security-Policy of their own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *HEADERS]
                if all(name != POLICY_NAME for name, _ in headers):
                    headers.append(POLICY)
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, send_with_headers)

"""The pages of problems: the `type` of a refusal is the address of one (RFC 9457, 3.1.1)."""

from html import escape
from re import sub

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from infra.access.roles import Need
from infra.answers import problems
from infra.answers.logs import NotFound
from infra.answers.problems import Rule
from infra.http.access import GuardedRoute, needs
from infra.http.problems import not_found

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


@router.get("/problems")
@needs(Need.NOTHING)
def index() -> HTMLResponse:
    """Return the page with every rule."""
    rows = (
        f'<dt><a href="problems/{escape(each.rule)}">{escape(each.rule)}</a></dt>'
        f"<dd>{escape(each.meaning)}</dd>"
        for each in problems.ask().items
    )
    return _page("Problems", f"<dl>{''.join(rows)}</dl>")


@router.get("/problems/{rule}")
@needs(Need.NOTHING)
def page(rule: str) -> HTMLResponse:
    """Return the page of one rule. Raises a problem for an unknown rule."""
    try:
        (found,) = problems.ask(rule).items
    except NotFound as error:
        raise not_found(error) from error
    return _page(
        found.rule, "".join(_messages(found)) + '<p><a href="../problems">All problems</a></p>'
    )


def _messages(found: Rule) -> list[str]:
    return [
        f"<blockquote>{_filled(each.detail)}</blockquote><p>{_filled(each.hint)}</p>"
        for each in found.cases
    ]


def _filled(text: str) -> str:
    """Return a message as HTML, with what each case fills in (``<ends at>``) in italics."""
    return sub(r"&lt;([^&]+)&gt;", r"<em>\1</em>", escape(text))


def _page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Accord: {escape(title)}</title></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )

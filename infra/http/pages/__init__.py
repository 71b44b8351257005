"""The pages: what people see of the answers, in a browser."""

from fastapi import APIRouter

from infra.http.pages import (
    act,
    alerts,
    evidence,
    inbox,
    inputs,
    money,
    partnership,
    portfolio,
    search,
    sign_in,
    statements,
    timeline,
)
from infra.http.pages.site import PageRoute


def router() -> APIRouter:
    """Return the routes of all pages."""
    made = APIRouter(route_class=PageRoute, include_in_schema=False)
    for each in (
        sign_in,
        act,
        portfolio,
        partnership,
        timeline,
        statements,
        evidence,
        alerts,
        inbox,
        inputs,
        money,
        search,
    ):
        made.include_router(each.router)
    return made

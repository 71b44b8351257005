"""The two longer answers in words: where a partnership stands, and why something is so."""

from collections.abc import Iterable

from infra.cli.printing import (
    Row,
    amount,
    day,
    figure,
    minute,
    money,
    number,
    say,
    styled,
    table,
)
from infra.cli.reading import believed, beside, late, print_objectives, who

# --- where a partnership stands ----------------------------------------------------------------


def print_standing(row: Row) -> None:
    """Print all that a partnership's history comes to."""
    _head(row)
    _parties(row["parties"])
    _candidates(row["candidates"])
    _terms(row["terms"])
    if row["charter"]:
        _objectives(row["charter"]["objectives"])
    _rules(row["rules"])
    _agreement(row["agreement"])
    _markets(row)
    _waivers(row["waivers"])
    _tasks(row)
    _plans(row)
    _renewal(row["renewal"])
    table(
        ["PARTY", "ON", "WHAT IT SAID"],
        (
            (each["party"], each.get("term", "its best alternative"), each["statement"])
            for each in row["private"]
        ),
        title="private to its party",
        indent=2,
    )
    table(
        ["DUE", "WHAT", "OF"],
        ((minute(each["due"]), each["kind"], each["ref"]) for each in row["deadlines"]),
        title="open deadlines",
        indent=2,
    )


def _head(row: Row) -> None:
    of = row["as_of"]
    say(f"{row['id']}: {row['stage'] or 'not begun'}", "bold")
    say(" and ".join(each["name"] for each in row["parties"]))
    if row["purpose"]:
        say(row["purpose"])
    asked = []
    if "at" in of:
        asked.append(f"as of what had happened by {minute(of['at'])}")
    if "known" in of:
        asked.append(f"as known by {minute(of['known'])}")
    last = minute(of["last_recorded_at"])
    say("; ".join([*asked, f"{of['events']} of {of['of']} events, the last recorded {last}"]))
    say()


def _parties(parties: Iterable[Row]) -> None:
    table(
        ["PARTY", "ROLE", "PEOPLE", "COMMITTED"],
        (
            (each["party"], each["role"], "; ".join(_people(each)), _committed(each["resources"]))
            for each in parties
        ),
        title="parties",
        indent=2,
    )


def _people(party: Row) -> list[str]:
    people = [f"{each['name']} ({each['function']})" for each in party["contacts"]]
    sponsor = party["sponsor"]
    return [*people, f"{sponsor['name']} (executive sponsor)"] if sponsor else people


def _committed(resources: Row | None) -> str:
    if not resources:
        return ""
    costs = "".join(f", {money(each)}" for each in resources["costs"])
    return f"{resources['attention']} % of a person{costs}"


def _candidates(candidates: list[Row]) -> None:
    if not candidates:
        return
    approached = [each for each in candidates if each["approached"]]
    chosen = [each["candidate"] for each in candidates if each["chosen"]]
    say(
        f"candidates: {len(candidates)} identified, {len(approached)} approached, "
        f"{chosen[0] if chosen else 'none'} chosen",
        "bold",
        2,
    )
    table(
        ["CANDIDATE", "SHARED CUSTOMERS", "SCORE", "ALIGNMENT"],
        (
            (
                each["candidate"],
                _overlap(each.get("overlap")),
                _ratings(each.get("score"), _SCORED),
                _ratings(each.get("alignment"), _ALIGNED),
            )
            for each in approached
        ),
        indent=4,
    )


_SCORED = {
    "market_reach": "reach",
    "brand_alignment": "brand",
    "technical_compatibility": "technology",
}
_ALIGNED = {
    "strategic_fit": "fit",
    "operational_capacity": "capacity",
    "cultural_compatibility": "culture",
    "shared_vision": "vision",
}


def _ratings(rated: Row | None, names: dict[str, str]) -> str:
    return ", ".join(f"{word} {rated[name]}" for name, word in names.items()) if rated else ""


def _overlap(overlap: Row | None) -> str:
    if not overlap:
        return ""
    of = f" of {overlap['own_customers']}" if "own_customers" in overlap else ""
    return f"{overlap['shared_customers']}{of}"


def _terms(terms: Row) -> None:
    if not terms["versions"]:
        return
    held = terms["in_force"]
    if held is None:
        say(f"terms: none in force on {terms['day']}", "bold", 2)
    else:
        since = held["effective_from"]
        title = f"terms in force on {terms['day']}: version {held['version']}, from {since}"
        say(title, "bold", 2)
        for item in held["economics"]:
            say(_ECONOMICS[item["kind"]](item), indent=4)
        if (minimum := held.get("minimum_referrals_per_quarter")) is not None:
            say(f"a minimum of {minimum} referrals a quarter", indent=4)
        say(
            f"from {held['starts_on']} for {held['duration']}, notice {held['notice']}, "
            f"assets at exit: {held['assets_at_exit']}",
            indent=4,
        )
    others = [each for each in terms["versions"] if each != held]
    for each in others:
        say(f"version {each['version']} holds from {each['effective_from']}", indent=4)


def _shares(item: Row) -> str:
    return ", ".join(f"{party} {number(share)} %" for party, share in item["shares"].items())


_ECONOMICS = {
    "revenue-share": lambda item: (
        f"{number(item['share'])} % of {item['basis']} revenue to {item['to']}, "
        f"due on {item['trigger']}"
    ),
    "revenue-split": lambda item: f"revenue split: {_shares(item)}, due on {item['trigger']}",
    "referral-fee": lambda item: (
        f"{money(item['fee'])} to {item['to']} for each referral, due on {item['trigger']}"
    ),
    "retainer": lambda item: f"retainer {money(item['fee'])} to {item['to']} every {item['every']}",
    "licence-fee": lambda item: (
        f"licence {money(item['fee'])} to {item['to']} every {item['every']}"
    ),
    "hybrid": lambda item: (
        f"{money(item['base'])} to {item['to']} every {item['every']}, and {money(item['bonus'])} "
        f"from {item['bonus_threshold']} {item['bonus_metric']} on"
    ),
    "cost-share": lambda item: f"{item['cost']}: {_shares(item)}",
    "penalty": lambda item: f"{item['on']} pays {money(item['fee'])}: {item['condition']}",
}
"""How each kind of economics reads (C10)."""


def _objectives(objectives: Iterable[Row]) -> None:
    table(
        ["METRIC", ">FROM", ">TARGET", "BY"],
        (
            (
                each["metric"],
                amount(each["baseline"], each["unit"]),
                amount(each["target"], each["unit"]),
                each["deadline"],
            )
            for each in objectives
        ),
        title="objectives of the charter",
        indent=2,
    )


def _rules(rules: Iterable[Row]) -> None:
    table(
        ["RULE", ">VERSION", "WHAT WAS AGREED"],
        ((each["rule"], each["version"], each["text"]) for each in rules),
        title="decision rules",
        indent=2,
    )


def _agreement(agreement: Row | None) -> None:
    if agreement is None:
        return
    signed = " and ".join(agreement["signed_by"]) or "nobody"
    say(f"agreement: version {agreement['version']}, signed by {signed}", "bold", 2)
    if agreement["missing_sections"]:
        say(f"lacks {', '.join(agreement['missing_sections'])}", indent=4)
    if agreement["in_force"] not in {None, agreement["version"]}:
        say(f"version {agreement['in_force']} is in force", indent=4)


def _markets(row: Row) -> None:
    table(
        ["MARKET", ">FEEDBACK", "RANKED"],
        (
            (
                each["market"],
                len(each["feedback"]),
                "; ".join(
                    f"viability {rated['viability']}, cultural fit {rated['cultural_fit']}"
                    for rated in each["ranked"]
                ),
            )
            for each in row["markets"]
        ),
        title="markets",
        indent=2,
    )
    owners = ((each["metric"], each) for each in row["metric_owners"])
    table(
        ["ROLE OR METRIC", "MARKET", "WHO"],
        (
            *((each["role"], each.get("market", "all"), each["name"]) for each in row["roles"]),
            *((metric, each.get("market", "all"), _owner(each)) for metric, each in owners),
        ),
        title="roles and owners of metrics",
        indent=2,
    )


def _owner(owner: Row) -> str:
    return f"{owner['owner']} ({owner['role']}{', local' if owner['local'] else ''})"


def _waivers(waivers: Iterable[Row]) -> None:
    table(
        ["RULE", "WHO", "WHY"],
        ((each["rule"], f"{each['party']} ({each['actor']})", each["reason"]) for each in waivers),
        title="waivers",
        indent=2,
    )


def _tasks(row: Row) -> None:
    tasks = [
        *(("milestone", each["milestone"], each["title"], each["due"], each)
          for each in row["milestones"]),
        *(("review", each["review"], each["kind"], day(each["at"]), each)
          for each in row["reviews"]),
        *(("issue", each["issue"], each["description"], "", each) for each in row["issues"]),
        *(("dispute", each["dispute"], each.get("description", ""), "", each)
          for each in row["disputes"]),
    ]  # fmt: skip
    table(
        ["KIND", "ID", "WHAT", "DUE", "STATE"],
        (
            (kind, name, what, due, styled(task["state"] + _was(task)))
            for kind, name, what, due, task in tasks
        ),
        title="milestones, reviews, issues, disputes",
        indent=2,
    )


def _was(task: Row) -> str:
    if "was" not in task:
        return ""
    return ", in time; told late" if task["in_time"] else f", after it was {task['was']}"


def _plans(row: Row) -> None:
    proposals = [
        *((each["plan"], f"improvement plan until {each['deadline']}", each)
          for each in row["improvement_plans"]),
        *((each["proposal"], each["scope"], each) for each in row["scopes"]),
        *((each["proposal"], f"joint investment of {money(each['investment'])}: {each['purpose']}",
           each) for each in row["joint_investments"]),
    ]  # fmt: skip
    table(
        ["ID", "WHAT", "PROPOSED BY", "AGREED"],
        (
            (name, what, each["proposed_by"], "yes" if each["accepted"] else "not yet")
            for name, what, each in proposals
        ),
        title="plans",
        indent=2,
    )


def _renewal(renewal: Row) -> None:
    if renewal["holds_until"] is None:
        return
    say(
        f"holds until {renewal['holds_until']}; the last day for notice is "
        f"{renewal['last_day_for_notice']}",
        "bold",
        2,
    )
    for each in renewal["reviews"]:
        say(f"renewal review {each['review']} recommends: {each['recommendation']}", indent=4)
    for each in renewal["declined"]:
        say(f"renewal {each['proposal']} was declined: {each['reason']}", indent=4)
    if notice := renewal["notice"]:
        say(f"notice was given ({notice['reason']}), effective {notice['effective_on']}", indent=4)
    if settlement := renewal["settlement"]:
        balances = ", ".join(map(money, settlement["balances"])) or "nothing owed"
        say(f"final settlement {settlement['settlement']}: {balances}", indent=4)
    for each in renewal["assets"]:
        say(f"{each['asset']}: {each['disposition']} ({each['to']})", indent=4)


# --- why something is so -----------------------------------------------------------------------


def print_explanation(answer: Row) -> None:
    """Print why an alert opened and ended, or what a figure is made of."""
    if "alert" in answer:
        _explain_alert(answer)
    else:
        _explain_kpi(answer)


def _explain_kpi(answer: Row) -> None:
    metric = answer["metric"]
    say(answer["kpi"], "bold")
    made = (
        f"{metric['numerator']} / {metric['denominator']}, each summed, then divided"
        if "numerator" in metric
        else f"over several periods: the {metric['adds']}"
    )
    say(f"{metric['unit']}; better {metric['direction']}; {made}", indent=2)
    if not answer["figures"]:
        say("No figure: no event counts or reports it for this period.", indent=2)
    _figures(answer["figures"])
    for rule in answer["rules"]:
        _rule(rule)
    print_objectives(answer["objectives"], indent=2)


def _figures(lines: Iterable[Row], indent: int = 2) -> None:
    for line in lines:
        say()
        at = (
            f"{line['metric']} {line['period']}{' ' + line['segment'] if 'segment' in line else ''}"
        )
        by = "counted from deals" if line["source"] == "counted" else f"from {line['source']}"
        say(f"{at}: {figure(line)}, {by}", "bold", indent)
        if more := beside(line):
            say(more, indent=indent)
        if "posterior" in line:
            say(believed(line), indent=indent)
        table(
            [">#", "HAPPENED", "WHO", "WHAT", ">COUNTS"],
            ((*_event(each), _counts(each)) for each in line["events"]),
            indent=indent,
        )


def _counts(event: Row) -> str:
    if "stands" in event:
        return "stands" if event["stands"] else "restated since"
    return ", ".join(
        f"{number(each['amount'])}" + ("" if each["to"] == "sum" else f" in the {each['to']}")
        for each in event["adds"]
    )


def _event(event: Row) -> tuple[str, str, str, str]:
    text = event["text"] + late(event)
    return str(event["index"]), minute(event["occurred_at"]), who(event), text


def _rule(rule: Row) -> None:
    say()
    version = f", version {rule['version']}" if "version" in rule else ""
    say(f"rule {rule['rule']}{version}", "bold", 2)
    say(rule["text"], indent=4)
    if agreed := rule.get("agreed"):
        index, happened, _, what = _event(agreed)
        say(f"agreed by #{index}, {happened}: {agreed['party']} {what}", indent=4)


def _explain_alert(answer: Row) -> None:
    say(styled(f"{answer['alert']}: {answer['state']}", "bold"))
    _rule(answer["rule"])
    say()
    table(
        [">#", "RECORDED", "STATE", "WHAT", "BECAUSE"],
        (
            (
                each["because_of"]["index"],
                minute(each["because_of"]["recorded_at"]),
                styled(each["state"]),
                each["text"],
                f"{each['because_of']['party']} {each['because_of']['text']}"
                if each["because_of"]["actor"] != "clock"
                else each["because_of"]["text"],
            )
            for each in answer["transitions"]
        ),
        title="what it did",
        indent=2,
    )
    if answer["inputs"]:
        then = "were known then" if answer["as_of"] else "are known now"
        say(f"the figures that the rule looked at, as they {then}", "bold", 2)
    for window in answer["inputs"]:
        if not window["figures"]:
            say(f"{window['period']}: no figure", indent=4)
        _figures(window["figures"], indent=4)
    if answer["about"]:
        say()
        table([">#", "HAPPENED", "WHO", "WHAT"], map(_event, answer["about"]),
              title="the events it is about", indent=2)  # fmt: skip
    say()
    table([">#", "HAPPENED", "WHO", "WHAT"], map(_event, answer["evidence"]),
          title="evidence", indent=2)  # fmt: skip

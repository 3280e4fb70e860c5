"""A made-up run for the tests of the report and the pages: six segments, one executed notebook.

The numbers are plausible and mean nothing. ``python tests/sample_run.py FOLDER`` writes the run and
its pages, to be looked at while the templates change.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

# What a hostile file could carry in the name of a column, in a category or in an identifier.
HOSTILE = (
    "<script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    '"><svg onload="document.title=\'run\'">',
    "[click](javascript:document.title='run')",
    "{{ 7 * 7 }}{% raw %}",
    "</style><script>document.title='run'</script>",
    "<iframe srcdoc=\"<script>parent.document.title='run'</script>\"></iframe>",
    '<meta http-equiv=refresh content="0;url=https://example.org/">',
    "<form action=https://example.org/><input name=q>",
)

NOTEBOOKS = [
    ("01", "01_data_cleaning", "Data cleaning"),
    ("02", "02_exploratory_analysis", "Exploratory analysis"),
    ("03", "03_feature_engineering", "Feature engineering"),
    ("04", "04_kmeans", "K-Means"),
    ("05", "05_dimensionality_reduction", "Dimensionality reduction"),
    ("06", "06_segment_profiling", "Segment profiling"),
]
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#882255"]
MARKERS = ["o", "s", "^", "D", "v", "P"]


@cache
def png(width: int = 1440, height: int = 720, text: str = "A figure") -> bytes:
    """Draw a small figure on white."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 144, height / 144), dpi=144)
    axes = figure.subplots()
    ks = list(range(2, 13))
    axes.plot(ks, [0.99, 0.97, 0.79, 0.90, 0.96, 0.82, 0.75, 0.71, 0.68, 0.66, 0.64], marker="o")
    axes.axhline(0.85, color="0.5", linestyle="--")
    axes.set(xlabel="number of segments k", ylabel="mean adjusted Rand index", title=text)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _trait(label: str, unit: str, segment: float, overall: float, **more: Any) -> dict[str, Any]:
    return {
        "label": label,
        "unit": unit,
        "segment": segment,
        "overall": overall,
        "effect": round((segment - overall) / (abs(overall) or 1), 2),
        "text": f"{label} of {segment:,.0f} against {overall:,.0f} on average",
        **more,
    }


def report() -> dict[str, Any]:
    """Return what the last notebook would hand to the start page."""
    rows = [
        # name, customers, mean, median, stability, word, sure, second, traits, advice, measure
        ("Cash-advance revolvers", 2157, 12.4, 0.0, 0.97, "highly stable", 0.93, 4,
         [_trait("cash advances", "$", 2104.2, 978.9, q1=512.0, q3=2890.0),
          _trait("purchases", "$", 12.4, 1003.2),
          _trait("balance", "$", 2243.8, 1564.5, q1=902.0, q3=3110.0),
          _trait("share of months with a purchase", "share", 0.012, 0.49),
          _trait("full payments", "", 0.03, 0.154, kind="share")],
         "Offer a lower-rate instalment loan in place of repeated cash advances, and explain what "
         "an advance costs. 1,690 of them took three or more.",
         "Cash advances per customer and balances past due after three months, against a group "
         "left out at random."),
        ("Instalment shoppers", 2008, 551.3, 420.1, 0.93, "highly stable", 0.88, 3,
         [_trait("instalment share of purchases", "share", 0.92, 0.41),
          _trait("cash advances", "$", 3.1, 978.9),
          _trait("average ticket", "$", 46.5, 84.2),
          _trait("balance", "$", 288.4, 1564.5)],
         "Offer instalments at the till with partner shops; raise limits where payments are full.",
         "Number of instalment purchases per month; share who stay within their limit."),
        ("All-round heavy spenders", 1402, 3391.7, 2604.0, 0.95, "highly stable", 0.91, 5,
         [_trait("purchases", "$", 3391.7, 1003.2, q1=1502.2, q3=4105.0),
          _trait("purchase transactions", "purchases", 46.8, 14.7),
          _trait("payments", "$", 3510.9, 1733.1),
          _trait("credit limit", "$", 6520.5, 4494.4)],
         "Keep them: recognition, a premium card, a named contact. They make more than half of "
         "all purchases.",
         "Share still active after six months; purchases per month."),
        ("Occasional one-off buyers", 1546, 702.8, 411.0, 0.86, "highly stable", 0.81, 3,
         [_trait("one-off share of purchases", "share", 0.97, 0.48),
          _trait("average ticket", "$", 131.9, 84.2),
          _trait("instalment purchases", "$", 6.2, 411.1)],
         "Give a reason for the next purchase within thirty days: category offers, a reminder "
         "after the first one.",
         "Days to the next purchase; purchases in the ninety days after the offer."),
        ("Revolvers who also shop", 1099, 1207.0, 708.5, 0.81, "valid", 0.74, 1,
         [_trait("balance", "$", 3401.2, 1564.5),
          _trait("use of the limit", "share", 0.71, 0.39),
          _trait("cash advances", "$", 2790.7, 978.9),
          _trait("minimum payments", "$", 1830.0, 864.2)],
         "Watch the risk before selling more: a payment plan for those above 80% of their limit.",
         "Share above 80% of the limit; payments against minimum payments."),
        ("Nearly dormant", 738, 198.4, 60.0, 0.72, "doubtful", 0.69, 2,
         [_trait("months since the last change of balance", "months", 7.4, 1.2),
          _trait("balance", "$", 41.9, 1564.5),
          _trait("balance change against last year", "$", -212.5, 38.0)],
         "One inexpensive reactivation message; no further spending where it stays unanswered.",
         "Reactivated within sixty days, against a group left out at random."),
    ]  # fmt: skip
    customers = sum(row[1] for row in rows)
    total = sum(row[1] * row[2] for row in rows)
    names = [row[0] for row in rows]
    segments = []
    for number, row in enumerate(rows, start=1):
        name, size, mean, median, stability, word, sure, second, traits, advice, measure = row
        slug = name.lower().replace(" ", "-")
        segments.append(
            {
                "segment": number,
                "name": name,
                "slug": slug,
                "colour": COLOURS[number - 1],
                "marker": MARKERS[number - 1],
                "customers": size,
                "share": size / customers,
                "value_share": size * mean / total,
                "value_mean": mean,
                "value_median": median,
                "traits": traits,
                "typical": [
                    {"label": "balance", "text": "$1,243"},
                    {"label": "purchases", "text": "$402 in 7 transactions"},
                    {"label": "credit limit", "text": "$3,000"},
                    {"label": "pays in full", "text": "never"},
                    {"label": "cash advances", "text": "$0"},
                    {"label": "months on record", "text": "12 months"},
                    {"label": "average ticket", "text": "$57"},
                ],
                "stability": stability,
                "stability_word": word,
                "sure_share": sure,
                "second_choice": names[second - 1],
                "advice": advice,
                "measure": measure,
                "matched": number != 6,
                "summary": f"stand out by their {traits[0]['label']}",
                "value_share_low": size * mean / total * 0.96,
                "value_share_high": size * mean / total * 1.05,
                "grounds": f"Rests on: {traits[0]['text']}.",
                "caution": "One in ten is near the border to another segment.",
                "evidence": f"{traits[0]['label']} at the 88th percentile of all card holders, "
                f"{traits[1]['label']} at the 12th.",
                "campaign": f"campaigns/{slug}.csv",
            }
        )
    return {
        "title": "Six kinds of card holders",
        "subtitle": "8,950 credit-card customers, grouped by how they used their card "
        "over six to twelve months",
        "noun": "card holder",
        "nouns": "card holders",
        "generated": True,
        "quick": False,
        "answer": [
            "The 8,950 card holders fall into six segments, from cash-advance revolvers (24% of "
            "customers, next to no purchases) to all-round heavy spenders, who are 16% of "
            "customers and make 52% of all purchases.",
            "Address the all-round heavy spenders first: keeping them is worth more than anything "
            "won elsewhere, and instalment shoppers are the largest group that could grow.",
            "The segments came back in 96% agreement when customers were drawn anew, but they "
            "shade into one another, so treat the borders as a convention.",
        ],
        "customers": customers,
        "k": 6,
        "k_set_by_hand": False,
        "value": {"label": "purchases", "unit": "$", "total": total},
        "segments": segments,
        "decision": {
            "sentences": [
                "Six is the largest number of segments between 3 and 8 that came back when "
                "customers were drawn anew: a mean adjusted Rand index of 0.96 where the rule "
                "asks for at least 0.85, and no segment smaller than 2% of customers.",
                "The elbow alone would say 5 and the silhouette alone 3; both look at compactness "
                "only and say nothing about whether the groups come back.",
            ],
            "figure": "figures/04_decision.png",
            "alt": "Stability by number of segments, from 0.99 at two to 0.64 at twelve; six, at "
            "0.96, is the largest above the line at 0.85.",
        },
        "verdict": {
            "word": "reproducible",
            "sentence": "The segments are reproducible, not natural: the same groups come back in "
            "every draw, while customers shade into one another without gaps.",
            "reasons": [
                "Mean adjusted Rand index 0.96 over 50 pairs of bootstrap samples.",
                "Mean silhouette 0.23: groups that touch; shuffled columns give 0.07.",
                "Jaccard stability of the weakest segment (nearly dormant) is 0.72.",
            ],
        },
        "limits": [
            "15% of card holders sit near a border and could as well be in the next segment.",
            "The texts that come with this table disagree whether the amounts cover six or twelve "
            "months; nothing here is annualised.",
            "The segments describe behaviour in the past. Whether an offer works, only a test with "
            "a group left out can say.",
        ],
        "changes": [
            {"what": "Missing although the customer made no payment", "column": "MINIMUM_PAYMENTS",
             "rows": 240, "action": "set to 0 and flagged"},
            {"what": "Missing for another reason", "column": "MINIMUM_PAYMENTS", "rows": 73,
             "action": "median put in"},
            {"what": "Missing", "column": "CREDIT_LIMIT", "rows": 1, "action": "median put in"},
            {"what": "Above 1, where a share of months ends", "column": "CASH_ADVANCE_FREQUENCY",
             "rows": 8, "action": "set to 1"},
            {"what": "One-off and instalment purchases do not add up to purchases",
             "column": "PURCHASES", "rows": 19, "action": "left as they are, flagged"},
        ],
        "figures": {"shares": "figures/06_shares.png", "profile": "figures/06_profile.png"},
        "control": {
            "response": 0.05,
            "uplift": 0.02,
            "share": 0.1,
            "power": 0.8,
            "alpha": 0.05,
            "groups": [
                {"name": "High spenders", "customers": 1243, "control": 118, "needed": 1213.0,
                 "visible": 0.071, "enough": False},
                {"name": "Too few", "customers": 9, "control": 0, "needed": None,
                 "visible": None, "enough": False},
            ],
        },
        "importance": [
            {"label": "instalment share of purchases", "value": 0.74},
            {"label": "cash advances", "value": 0.66},
            {"label": "purchases", "value": 0.61},
            {"label": "balance", "value": 0.43},
            {"label": "use of the limit", "value": 0.38},
        ],
        "descriptors": [
            {"label": "months as a customer (median)", "segments": ["12"] * 6, "overall": "12"},
            {"label": "credit limit (median)", "overall": "$3,000",
             "segments": ["$3,000", "$2,500", "$6,000", "$2,700", "$4,500", "$2,100"]},
        ],
    }  # fmt: skip


def run() -> dict[str, Any]:
    """Return what the runner would tell the start page about the run."""
    common = {"dataset": "/home/somebody/projects/data/credit_card", "quick": False}
    return {
        "parameters": {
            "01": common,
            "04": common | {"k": 0, "seed": 20, "k_min": 2, "k_max": 12},
            "05": common | {"seed": 21},
        },
        "started": "2026-11-21T08:15:07+00:00",
        "versions": {"Python": "3.11.7", "scikit-learn": "1.9.1", "pandas": "3.1.1"},
        "inputs": [
            {"part": "dataset", "name": "/home/somebody/projects/data/dataset.toml",
             "sha256": "1d" * 32},
            {"part": "table", "name": "customers.csv", "sha256": "9f" * 32},
        ],
        "git": {"commit": "7232e7b0" * 5, "dirty": True},
        "platform": {"system": "Linux", "release": "6.1", "machine": "x86_64", "cores": 2},
        "stages": [
            {"number": number, "title": title, "href": f"notebooks/{stem}.html", "seconds": 24.7,
             "skipped": False, "current": True}
            for number, stem, title in NOTEBOOKS
        ],
    }  # fmt: skip


def poisoned(value: Any, keep: frozenset[str] = frozenset({"word", "unit"})) -> Any:
    """Return a copy in which every text carries a hostile string; `keep` names are left alone."""
    turn = iter(range(10**6))

    def poison(entry: Any, name: str = "") -> Any:
        if isinstance(entry, dict):
            return {key: poison(item, key) for key, item in entry.items()}
        if isinstance(entry, list):
            return [poison(item, name) for item in entry]
        if isinstance(entry, str) and name not in keep:
            return f"{entry} {HOSTILE[next(turn) % len(HOSTILE)]}"
        return entry

    return poison(copy.deepcopy(value))


def context(number: str = "04", **changes: Any) -> dict[str, Any]:
    """Return what the runner would tell a notebook's page."""
    entries = [
        {"number": n, "title": title, "href": f"{stem}.html"} for n, stem, title in NOTEBOOKS
    ]
    place = [entry["number"] for entry in entries].index(number)
    return {
        "title": entries[place]["title"],
        "dataset_title": "Credit-card customers",
        "previous": entries[place - 1] if place else None,
        "next": entries[place + 1] if place + 1 < len(entries) else None,
        "index_href": "../index.html",
        "quick": False,
        "up_to_date": True,
        "notebooks": entries,
        **changes,
    }


def _table(columns: int, rows: int, caption: str, name: str = "balance") -> str:
    head = "".join(f'<th scope="col">{name} {c}</th>' for c in range(columns))
    body = "".join(
        f'<tr><th scope="row">segment {r + 1}</th>'
        + "".join(f"<td>{1243.4 * (r + 1) / (c + 1):,.1f}</td>" for c in range(columns))
        + "</tr>"
        for r in range(rows)
    )
    return (
        f'<div class="table-scroll"><table class="dataframe"><caption>{caption}</caption><thead>'
        f'<tr><th scope="col"></th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _shown(data: dict[str, str], metadata: dict[str, Any] | None = None) -> Any:
    return new_output("display_data", data=data, metadata=metadata or {})


def notebook(hostile: bool = False) -> nbformat.NotebookNode:
    """Build an executed notebook with everything that a page has to lay out."""
    picture = base64.b64encode(png(1440, 720, "Stability by number of segments")).decode()
    about = {
        "alt": "Stability falls from 0.99 at two segments to 0.64 at twelve.",
        "caption": "Agreement between pairs of bootstrap samples, by number of segments.",
        "file": "../figures/04_decision.png",
        "width": 720,
    }
    code = "\n".join(
        [
            "from sklearn.cluster import KMeans",
            "",
            "# Many starts: one start is a gamble.",
            "fit = KMeans(n_clusters=6, n_init=50, random_state=seed).fit(matrix)",
            'labels = {"segment": fit.labels_, "share": 0.25, "name": f"{len(matrix)} rows"}',
            "assert fit.inertia_ > 0 and None is not labels",
        ]
    )
    cells = [
        new_markdown_cell(
            "# How many kinds of customers are there?\n\nReads what "
            "[feature engineering](03_feature_engineering.ipynb) handed over, writes the segments. "
            "See [the data](../data/README.md) and [Hennig 2007]"
            "(https://doi.org/10.1016/j.csda.2006.11.025). Costs between $2,740 and $1,003."
        ),
        new_code_cell(
            'dataset: str = "credit_card"  # a folder name under data/\n'
            'results_dir: str = ""  # where to read and write\n'
            "quick: bool = False  # small settings for a look in seconds\n"
            "k: int = 0  # 0: decided by the rule\n"
            "seed: int = 20  # start of the random numbers",
            metadata={"tags": ["parameters"]},
        ),
        new_code_cell(
            "# Parameters\ndataset = '/tmp/a1b2/data/credit_card'\n"
            "results_dir = '/tmp/a1b2/results'\nk = 5\n",
            metadata={"tags": ["injected-parameters"]},
        ),
        new_markdown_cell("## The scan over k\n\nLook for the last point above the line."),
        new_code_cell(
            code,
            outputs=[
                _shown({"image/png": picture, "text/plain": "Figure"}, {"image/png": about}),
                new_output("stream", name="stdout", text="fitted 6 segments\n" + "wide " * 60),
                new_output("stream", name="stderr", text="a warning for the log"),
            ],
        ),
        new_markdown_cell(
            "What it shows: **six** is the largest that comes back.\n\n"
            "| k | agreement |\n|---|---|\n| 5 | 0.90 |\n| 6 | 0.96 |\n\n"
            "- a point\n- `KMeans(n_init=50)` and H₀: μ₁ = μ₂\n\n> What it does not show."
        ),
        new_markdown_cell("### Other numbers"),
        new_code_cell(
            "scores",
            outputs=[_shown({"text/html": _table(16, 6, "Every score by k", "calinski harabasz")})],
        ),
        new_markdown_cell("## The segments\n\n" + "A long text about the segments. " * 40),
        new_code_cell(
            "shares",
            outputs=[
                _shown({"text/markdown": "Found **six** segments in 8,950 card holders."}),
                _shown({"text/html": _table(3, 4, "Sizes and shares"), "text/plain": "x"}),
                new_output(
                    "execute_result", data={"text/plain": "{'inertia': 64555.0}"},
                    execution_count=3,
                ),
            ],
        ),
        new_markdown_cell("## Other numbers\n\nThe same heading twice. [Up](#The-scan-over-k)"),
    ]  # fmt: skip
    if hostile:
        for text in HOSTILE:
            cells += [
                new_markdown_cell(f"## A heading {text}\n\nAnd a text {text}."),
                new_code_cell(
                    f"name = {text!r}",
                    outputs=[
                        _shown({"text/html": f"<table><caption>{text}</caption><tr><th>{text}</th>"
                                f'<td style="color:red" onclick="x()">{text}</td></tr></table>'}),
                        _shown({"text/markdown": text}),
                        _shown({"text/plain": text}),
                        _shown({"application/javascript": "document.title='run'"}),
                        _shown({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' "
                                "width='9' height='9' onload=\"document.title='run'\"/>"},
                               {"image/svg+xml": {"alt": text}}),
                        _shown({"image/png": picture},
                               {"image/png": {"alt": text, "caption": text, "file": text}}),
                        new_output("stream", name="stdout", text=text),
                    ],
                ),
            ]  # fmt: skip
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"
    built = new_notebook(cells=cells)
    built.metadata["title"] = "How many kinds of customers are there?"
    built.metadata["language_info"] = {"name": "python"}
    return built


def write_results(folder: Path, content: dict[str, Any] | None = None) -> Path:
    """Write the files that the start page reads."""
    for name in ("stages", "figures", "notebooks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "stages" / "06_report.json").write_text(
        json.dumps(content if content is not None else report()), encoding="utf-8"
    )
    for name, title in (("04_decision", "Stability by k"), ("06_profile", "Segment profiles")):
        (folder / "figures" / f"{name}.png").write_bytes(png(text=title))
        (folder / "figures" / f"{name}.json").write_text(
            json.dumps({"caption": f"{title}: what is drawn, in which units.", "alt": title}),
            encoding="utf-8",
        )
    return folder


def main(folder: Path) -> None:
    """Write the made-up run and its pages."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
    from runner import notebook_page, start_page

    write_results(folder)
    executed = folder / "notebooks" / "04_kmeans.ipynb"
    nbformat.write(notebook(), executed)
    notebook_page.render_notebook(executed, executed.with_suffix(".html"), context=context())
    print(start_page.render_index(folder, run=run()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

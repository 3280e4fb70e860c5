"""Roles of columns, and names of segments in tables that nobody described."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kinds_of_tables import KINDS, simulate

from customer_tables.changes import Reading
from customer_tables.errors import UserError
from customer_tables.header import has_word
from customer_tables.inference import infer_dataset
from customer_tables.vocabulary import LIBRARY, ROLES
from segmentation import cleaning, features
from segmentation.conditions import Customers, Members
from segmentation.dataset import Dataset, Phrase, build_dataset
from segmentation.kmeans import fit_kmeans
from segmentation.naming import Name, name_segments
from segmentation.profiling import standardise_evenly

ROWS = 300


def reading_of(table: pd.DataFrame) -> Reading:
    """Return a table as if it had been read from a file."""
    kinds = {}
    for name, values in table.items():
        dated = pd.api.types.is_datetime64_any_dtype(values)
        numeric = pd.api.types.is_numeric_dtype(values) and values.dtype != bool
        two = values.dtype == bool or (values.nunique() == 2 and not numeric)
        kinds[name] = "date" if dated else "number" if numeric else "yes_no" if two else "text"
    return Reading(table, [], kinds, {}, {"name": "t.csv"})


def described(table: pd.DataFrame, **roles: tuple[str, ...]) -> Dataset:
    text = infer_dataset(reading_of(table), "theirs", roles)
    return build_dataset(tomllib.loads(text), Path("theirs/dataset.toml"))


def with_behaviour(name: str, values: object) -> pd.DataFrame:
    """Put a column beside two that play no role."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"width": rng.random(ROWS), "colour depth": rng.random(ROWS)})
    return table.assign(**{name: np.resize(values, ROWS)})


def members_of(table: pd.DataFrame, dataset: Dataset, labels: object) -> Members:
    customers = cleaning.clean(reading_of(table).numbered, dataset).customers
    built = features.build_features(customers, dataset)
    return Members(Customers(dataset, customers, built), labels)


def named(table: pd.DataFrame, dataset: Dataset, labels: object) -> dict[int, Name]:
    """Name the segments of customers."""
    members = members_of(table, dataset, labels)
    built = pd.DataFrame({f.name: members.customers.table[f.name] for f in dataset.features})
    effects = standardise_evenly(built, list(dataset.features)).groupby(np.asarray(labels)).mean()
    return name_segments(effects, dataset, members)


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("recency", "Recency|days_since_last_order|DaySinceLastOrder|Months Inactive 12 mon"),
        (
            "recency",
            "last_purchase_days_ago|inactive days|days_since_visit|Days since last visit|weekslast",
        ),
        ("", "days since last contact|months since last credit inquiry|Rating"),
        ("", "InstallmentRatePercentOfIncome"),
        ("", "promo|promotions seen|Discount emails|last_order|Last visit"),
        (
            "",
            "promotion|discount_offered|coupon views|has_discount_offer|got_coupon",
        ),
        ("", "deals|open deals|discount_rate|forecast discount|promo eligible"),
        ("", "weekof purchase|YearsSinceLastPromotion|Pur Vol No Promo"),
        (
            "tenure",
            "accountlength|tenure|Tenure (years)|Months_on_book|account length|days_as_customer",
        ),
        (
            "tenure",
            "Days_since_enroll|months since joining|DaysSinceSignup|years since account opened",
        ),
        (
            "tenure",
            "years customer|Donor years|months_subscribed|days since install|1st update days ago",
        ),
        ("tenure", "Vintage|Months Since Policy Inception|customer age months|YearsWithCompany"),
        ("frequency", "Orders|OrderCount|order_count|NumberOfOrders|orders_12m|total flights"),
        (
            "frequency",
            "previous bookings|donations|Freq|Total_Trans_Ct|n visits|visits per month",
        ),
        ("frequency", "orders_90d|visits_year|trips_3y"),
        ("recency", "tage_seit_letztem_kauf|jours_depuis_dernier_achat|days since last watch"),
        ("tenure", "kunde_seit_jahren|anciennete_mois|policy_duration_years"),
        ("frequency", "Flight_trans_12|card transactions|online transaction count"),
        ("", "card transaction value|flight transaction fee"),
        ("engagement", "Bonus_miles|points earned|loyalty points|Flight_miles_12mo"),
        ("frequency", "rentals|Avg visit frequency|bookings_checked_in|top_ups"),
        ("frequency", "Bestellungen|AnzahlKäufe|Nombre de commandes|pedidos"),
        ("value", "ARR|Annual bill|Total|Order totals|Value|Customer Value|iap_spend"),
        ("rate", "MRR|arpu|Monthly Cost"),
        ("value", "CLV|total_spent|Expenditure|Revenue|annual_premium|Umsatz|TotalCharges"),
        (
            "value",
            "donation_amount|Gift value|total_donated|Spending|Sales 2023|purchase amount (usd)",
        ),
        ("value", "消费金额|購入金額|구매금액|spesa totale"),
        ("frequency", "订单数|访问次数|来店回数|aantal bestellingen"),
        ("recency", "距上次购买天数|最終購入からの日数"),
        ("value", "lifetime_giving|ACV|montant_total|bill_last_12m|spend_year"),
        ("", "spa spend|purchases online|spend on wine"),  # a part of what somebody is worth
        ("ticket", "avg_order_value|AOV|average basket|AvgTransactionValue|average gift|avggift"),
        (
            "breadth",
            "product_lines|features used|NumOfProducts|num_policies|Total_Relationship_Count",
        ),
        ("discount", "gutscheine_eingeloest|remises_utilisees"),
        ("frequency", "tickets_purchased|Order count 2023"),
        ("redeemed", "points_redeemed"),
        (
            "",
            "avg_ride_minutes|ticket price|minutes_late_avg|points balance|delivery minutes",
        ),  # no attention given
        ("discount", "CouponUsed|NumDealsPurchases|discount_share|Discounts used|promos used"),
        ("returns", "returns|return_rate|ReturnedItems|number of returns|Retouren"),
        ("since_claim", "no_claims_years|years without claims"),
        ("claims", "Total Claim Amount|n_claims|ClaimCount"),
        ("complaints", "Number of Open Complaints|complaints_12m|Customer service calls"),
        (
            "complaints",
            "calls_to_care|outages_reported|Faults Logged|custserv_calls|open_tickets",
        ),
        ("contract", "contract_months|Contract length|subscription period"),
        ("cancelled", "cancellations|no_shows|cancelled bookings|BookingsNoShowed"),
        ("satisfaction", "SatisfactionScore|NPS|Average Rating"),
        ("credit", "Avg_Utilization_Ratio|credit card debt|Total_Revolving_Bal"),
        ("wealth", "assets|net worth|total_assets"),
        ("loan", "loan_amount|funded_amnt|loanamt|LoanAmount|amount financed"),
        ("interest", "interest_rate|int_rate|APR"),
        ("duration", "loan_length|credit duration|LoanTerm"),
        ("", "term|DurationInMonth|duration"),  # of a loan, only beside one
        ("inquiries", "inquiries_last_12m|inq_last_6mths|num credit inquiries"),
        ("accounts", "total_credit_lines|cards|num_open_accounts|NumCreditCards"),
        ("calls", "calls|total_day_calls|monthly_calls"),
        ("messages", "number_vmail_messages|sms_sent|text_messages"),
        ("abroad", "total_intl_minutes|roaming_usage|international calls"),
        ("arrears", "days_past_due|DPD|late_payments|missed payments"),
        ("holdings", "balance|Account Balance|total_deposits"),
        ("engagement", "NumWebVisitsMonth|logins|HourSpendOnApp|email_clicks|sessions_30d"),
        ("contacts", "campaign|emails_sent|promotions received|coupons_sent|mails per year"),
        ("contact", "number_of_contacts|Contacts Count 12 mon|Total_calls_made"),
        ("household", "Kidhome|Number of children|dependents|family_size|nkids|hhsize"),
        ("income", "Income|Annual Income|EstimatedSalary|faminc"),
    ],
)
def test_what_a_column_says_of_a_customer(role, names):
    for name in names.split("|"):
        table = with_behaviour(name, np.random.default_rng(1).poisson(9, ROWS) + 1)
        found = {c.role for c in described(table).columns} - {""}
        assert found == ({role} if role else set()), name


@pytest.mark.parametrize("name", ["donation", "Gifts", "contributions_12m", "purchases"])
@pytest.mark.parametrize(
    ("values", "role"),
    [([3, 5, 2, 1, 1], "frequency"), ([50, 100, 20, 25, 5], "value"), ([37, 81, 64], "value")],
)
def test_whole_numbers_of_gifts_or_purchases_are_how_many_or_how_much(name, values, role):
    columns = described(with_behaviour(name, values)).columns
    assert {column.role for column in columns} - {""} == {role}
    columns = described(with_behaviour("previous purchases", values)).columns
    assert {column.role for column in columns} - {""} == {"frequency"}


DAYS = pd.Timestamp("2024-02-29 18:00") - pd.to_timedelta(np.arange(ROWS) % 90, "D")


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (
            "tenure",
            "Dt_Customer|signup_date|registered at|Kunde seit|member_since|first_order_date",
        ),
        ("recency", "last_purchase_date|LastOrderDate|last_login|letzter Einkauf|Último pedido"),
        ("", "contract end|renewal date|date of birth|last contact date"),
    ],
)
def test_dates_on_which_customers_came_or_were_last_active_are_counted_in_days(role, names):
    for name in names.split("|"):
        table = with_behaviour(name, DAYS)
        dates = [c for c in described(table).columns if c.before or c.kind == "date"]
        found = [(c.role, str(c.before)) for c in dates]
        assert found == [(role, "2024-02-29" if role else "None")], name


def test_the_day_that_dates_are_counted_to():
    """It is the newest of them, later where the table states a later one in every row."""
    visits = np.arange(ROWS) % 3
    table = with_behaviour("joined", DAYS).assign(visits=visits, last_visit=DAYS.where(visits > 0))
    dataset = described(table.assign(until=pd.Timestamp("2024-03-10")))
    assert {str(c.before) for c in dataset.columns if c.before} == {"2024-03-10"}
    (rule,) = dataset.rules  # who never came has not come for as long as anybody
    assert (rule.when, rule.column, rule.fill) == ("visits == 0", "days_since_last_visit", 99)
    given = described(with_behaviour("gap", DAYS), recency=("gap",))
    assert given.column("days_since_gap").role == "recency"


@pytest.mark.parametrize("odd", ["1900-01-01", "2099-07-01"])
def test_dates_for_never_and_typing_errors_are_missing(odd):
    days = DAYS.where(np.arange(ROWS) % 9 != 1, pd.Timestamp(odd))
    table = with_behaviour("last order", days)
    dataset = described(table)
    cleaned = cleaning.clean(reading_of(table).numbered, dataset)
    assert cleaned.customers["days_since_last_order"].between(0, 89).all()
    assert str(dataset.column("days_since_last_order").before) == "2024-02-29"
    assert [c.rows for c in cleaned.changes if c.what.startswith("value outside")] == [34]


@pytest.mark.parametrize("limit", ["credit_limit", "limit"])
def test_a_balance_beside_a_limit_is_owed(limit):
    table = with_behaviour("Balance", range(90)).assign(**{limit: np.resize(range(70), ROWS)})
    assert {c.name: c.role for c in described(table).columns if c.role} == {
        "balance": "credit",
        limit: "limit",
    }


@pytest.mark.parametrize(
    ("columns", "roles"),
    [
        ("R,F,M", ["recency", "frequency", "value"]),
        ("F,M", ["", ""]),  # female and male, perhaps
        ("accountlength,monthlycharges,totalcharges", ["tenure", "rate", "value"]),
        ("AMOUNT,DURATION", ["loan", "duration"]),
        ("claim_cost,claims_last3_years", ["", "claims"]),
        ("beauty spend,spend_year,toys spend", ["", "value", ""]),
        ("beauty spend,food spend,toys spend", ["part", "part", "part"]),
        ("online revenue,store revenue,catalog revenue", ["part", "part", "part"]),
        ("total_deposits,bets", ["", ""]),  # not held, but staked
        ("loan_amnt,term", ["loan", "duration"]),
        ("duration,campaign,previous", ["", "contacts", "earlier_contacts"]),  # of a call
        ("Amount,visits", ["value", "frequency"]),
    ],
)
def test_what_a_column_says_beside_others(columns, roles):
    values = np.random.default_rng(3).integers(1, 4000, (ROWS, 1 + columns.count(",")))
    dataset = described(pd.DataFrame(values, columns=columns.split(",")))
    assert [column.role for column in dataset.columns if not column.kind == "id"] == roles


def test_the_whole_is_worth_more_than_its_parts_and_its_last_months():
    month, more = np.random.default_rng(3).integers(1, 4000, (2, ROWS))
    windows = {"revenue 30d": month, "revenue 90d": month + more, "revenue 365d": month + 3 * more}
    by_channel = {"online revenue": month, "store revenue": more, "revenue": month + more}
    for amounts, whole in ((windows, "revenue_365d"), (by_channel, "revenue")):
        assert described(with_behaviour("visits", range(90)).assign(**amounts)).value == whole


def test_values_that_no_column_of_a_role_has():
    """An account is overdrawn, what is owed is not; and no interest is 300%."""
    below = with_behaviour("balance", range(-40, 90)).assign(default=np.resize([0, 1, 0], ROWS))
    assert described(below).column("balance").role == "account"
    above = described(below.assign(balance=range(ROWS, 0, -1), apr=np.arange(ROWS) + 1.5))
    assert [above.column(name).role for name in ("balance", "apr")] == ["credit", ""]


def test_recency_can_count_from_the_first_purchase():
    """Without a repeat purchase it is then 0, and much of it means bought lately."""
    table = with_behaviour("frequency", [0, 2, 5]).assign(recency=np.resize([0, 20, 35], ROWS))
    roles = {c.name: c.role for c in described(table).columns if c.role}
    assert roles == {"frequency": "frequency", "recency": "last_active"}
    days_ago = described(table.assign(recency=np.resize([300, 20, 35], ROWS)))
    assert days_ago.column("recency").role == "recency"


@pytest.mark.parametrize(
    ("names", "counted"),
    [
        ("has_phone,StreamingTV,Online Backup,is_senior,partner", 3),
        ("mortgage,credit_card,Savings Account,home insurance,paperless_billing", 4),
        ("phone,credit_card,partner,senior_citizen", 0),  # two are no range
        ("mortgage applied,card active,insurance claim,credit card default", 0),
        ("mortgage,credit_card,insurance,num_products", 0),  # it says so itself
    ],
)
def test_products_that_columns_of_yes_and_no_tell_of_are_breadth(names, counted):
    rng = np.random.default_rng(8)
    answers = {name: rng.random(ROWS) < 0.4 for name in names.split(",")}
    if "num_products" in answers:
        answers["num_products"] = rng.integers(1, 5, ROWS)
    dataset = described(with_behaviour("visits", range(90)).assign(**answers))
    (total,) = [f for f in dataset.features if f.name == "products"] if counted else [None]
    assert total is None or total.formula.count("+") + 1 == counted
    assert not counted or total.why.startswith("role breadth, likely")
    known = {archetype.name for archetype in dataset.archetypes}
    assert ("Customers across the range" in known) == bool(counted or "num_products" in answers)


def test_a_role_can_be_given():
    table = with_behaviour("gap", range(90)).assign(Town=np.resize(["A", "B", "C"], ROWS))
    dataset = described(table, recency=("gap",))
    assert dataset.column("gap").role == "recency"
    assert "Lapsing customers" in {archetype.name for archetype in dataset.archetypes}
    with pytest.raises(UserError, match="holds no numbers"):
        described(table, recency=("Town",))


@pytest.mark.parametrize(
    ("name", "expected", "said"),
    [
        (
            "num_devices",
            "Customers with the fewest devices",
            "have an average number of devices of 2.33 (all: 5)",
        ),
        (
            "devices_count_12m",
            "Customers with the fewest devices",
            "an average number of devices 12m of 2.33",
        ),
        ("average size", "Customers with the lowest average size", "have an average size of 2.33"),
        (
            "number_of_staff",
            "Customers with the lowest number of staff",
            "have an average number of staff of 2.33",
        ),
        ("total_cards", "Customers with few cards", "have an average number of cards of 2.33"),
        ("claims_count", "Customers with few claims", "have an average number of claims of 2.33"),
        ("claim rating", "Customers with low claim rating", "have an average claim rating of 2.33"),
    ],
)
def test_what_is_counted_is_most_or_fewest(name, expected, said):
    """And the window of time stands in the summary, not in the name."""
    table = with_behaviour(name, np.repeat([2, 6, 6], ROWS // 3) + np.resize([0, 0, 1], ROWS))
    dataset, labels = described(table), np.repeat([1, 2, 2], ROWS // 3)
    found = named(table, dataset, labels)[1]
    assert found.name == expected
    assert said in members_of(table, dataset, labels).claim(found.archetype.summary[0], 1)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("complaints", [0, 3, 0], "less often have complaints (0% of them; all: 33%)"),
        ("has_garden", [0, 1, 0], "less often have garden (0% of them; all: 33%)"),
        ("has_garden", [1, 0, 1], "more often have garden (100% of them; all: 67%)"),
    ],
)
def test_who_has_any_is_said_of_members_not_of_cases(name, values, said):
    table = with_behaviour(name, np.repeat(values, ROWS // 3))
    dataset, labels = described(table), np.repeat([1, 2, 1], ROWS // 3)
    (summary,) = named(table, dataset, labels)[1].archetype.summary
    assert members_of(table, dataset, labels).claim(summary, 1) == said


@pytest.mark.parametrize(
    ("column", "values", "names"),
    [
        ("session minutes", [50, 51], [None, None]),  # a little more is not much
        ("session minutes", [50, 60], ["Customers who engage little", "Engaged customers"]),
        ("days past due", [0, 30], ["Customers rarely in arrears", "Customers in arrears"]),
        ("days past due", [2, 30], [None, "Customers in arrears"]),
        ("net loss", [30, 200], [None, None]),  # and no offer
        ("mortgage", [0, 200], [None, "Borrowers of large sums"]),  # who borrows nothing
        ("mortgage", [90, 200], ["Borrowers of small sums", "Borrowers of large sums"]),
    ],
)
def test_who_is_of_a_kind_and_who_is_not(column, values, names):
    amounts = np.repeat(values, [200, 100]) * np.resize([1, 1.001], ROWS)
    table, labels = with_behaviour(column, amounts), np.repeat([1, 2], [200, 100])
    known = [entry.archetype for entry in named(table, described(table), labels).values()]
    assert [kind and kind.name for kind in known] == names


@pytest.mark.parametrize("said", ["more orders than average", "above-average visit frequency"])
def test_more_is_said_of_what_is_counted(said):
    name = said.replace("above-average ", "").split()[said.startswith("more") :][:2]
    table = with_behaviour(" ".join(name).removesuffix(" than"), np.resize([0, 1, 2, 4], ROWS))
    assert f"Customers with {said}" in {kind.name for kind in described(table).archetypes}


def test_every_archetype_of_the_library_can_be_written_and_read():
    columns = (
        "recency,tenure,orders,avg_order_value,num_policies,discount_share,returns,n_claims,"
        "months since last claim,complaints,satisfaction,utilization,cash advances,credit_limit,"
        "days_past_due,deposits held,logins,points redeemed,contacts,previous,kids,income,"
        "spending score,monthly charges,clv,loan amount,interest rate,term,credit inquiries,cards,"
        "calls,text messages,roaming minutes,assets,songs saved,mailings,contract months,"
        "cancellations"
    ).split(",")
    values = np.random.default_rng(4).integers(1, 90, (ROWS, len(columns)))
    table = pd.DataFrame(values, columns=columns).assign(newsletter=np.arange(ROWS) % 2)
    dataset = described(table, holdings=("deposits held",))
    written = {archetype.name for archetype in dataset.archetypes}
    wanted = {entry["name"] for entry in LIBRARY["archetypes"]} - {"Customers who lean to <part>"}
    assert {name for name in wanted if "<" not in name} <= written
    assert {
        "Newcomers with high monthly charges",
        "Customers with the fewest songs saved",
    } <= written
    assert not [name for name in written if "<" in name]
    assert len(written) == len(wanted)


def test_texts_speak_of_what_their_name_checks():
    """A text that names a column holds where the name holds, so its role is in the pattern."""
    for entry in LIBRARY["archetypes"]:
        signed = {role for role, sign in entry["pattern"].items() if sign} or {*entry["pattern"]}
        texts = [entry["name"], entry["measure"], *(t["text"] for t in entry["advice"])]
        said = {role for role in ROLES for text in texts if f"<{role}>" in text}
        assert said <= signed, entry["name"]
        assert entry["advice"] and entry["pattern"].keys() <= ROLES.keys()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            "Miles flown|Throughput|Strength|Žlutý|Übung|年間|Расход|Gas|X spend|Visits 12m",
            True,
        ),
        ("Cc3 miles|Fmde|X12|Col 3|V1|Q3 a|Pcttxn|Feature 7|Qtr", False),
    ],
)
def test_only_names_that_are_words_become_parts_of_names(names, expected):
    assert {name: has_word(name) for name in names.split("|")} == dict.fromkeys(
        names.split("|"), expected
    )


def test_columns_with_cryptic_names_get_no_archetypes():
    table = with_behaviour("fmde", np.random.default_rng(1).poisson(9, ROWS) + 1)
    worded = described(table.rename(columns={"fmde": "miles flown"}))
    assert len(worded.archetypes) - len(described(table).archetypes) == 4
    aged = table.rename(columns={"fmde": "Edad"})  # "Ask some of them what keeps edad low"?
    assert len(described(aged, segment=("Edad",)).archetypes) == len(described(table).archetypes)


def test_a_number_alone_is_no_name_of_what_customers_lean_to():
    spent = np.random.default_rng(1).lognormal(3, 1, (ROWS, 3)).round(2)
    table = pd.DataFrame(spent, columns=["spend_1", "spend_2", "spend_3"])
    names = {entry.name for entry in described(table).archetypes}
    assert {f"Customers who lean to spend {place}" for place in (1, 2, 3)} <= names


@pytest.mark.parametrize("name", ["Enrollment Year", "tenure"])
def test_the_direction_of_a_column_is_part_of_its_role(name):
    """A late year makes a newcomer, many months a customer of long standing."""
    years = np.repeat([2012, 2019], ROWS // 2) + np.resize([0, 1, 2], ROWS)
    values = years if name != "tenure" else years[::-1] - 2012
    dataset = described(with_behaviour(name, values))
    found = named(with_behaviour(name, values), dataset, np.repeat([1, 2], ROWS // 2))
    first, second = (found[segment].name for segment in (1, 2))
    assert (first, second) == ("Long-standing customers", "Newcomers")


@pytest.mark.parametrize(
    ("name", "new", "old", "names"),
    [
        ("months as customer", 6, 60, ["Newcomers", "Long-standing customers"]),
        ("months as customer", 30, 60, ["Newer customers", "Long-standing customers"]),
        ("days_since_signup", 30, 300, ["Newcomers", "Customers of longer standing"]),
        ("days_since_signup", 164, 300, ["Newer customers", "Customers of longer standing"]),
        ("tenure", 40, 72, ["Newer customers", "Long-standing customers"]),  # months
        ("tenure", 5, 19, ["Newer customers", "Long-standing customers"]),  # years, perhaps
        (
            "account length",
            60,
            240,
            ["Newer customers", "Customers of longer standing"],
        ),  # of what?
        ("Enrollment Year", 2014, 2009, ["Newer customers", "Long-standing customers"]),
        ("days since last order", 3, 60, ["Recently active customers", "Lapsing customers"]),
        ("days since last order", 3, 14, ["Recently active customers", None]),
        ("days since last order", 900, 2000, [None, "Lapsing customers"]),
        ("Recency", 3, 14, ["Recently active customers", "Lapsing customers"]),  # of whatever
    ],
)
def test_who_is_new_of_long_standing_recent_or_quiet_is_so_in_years(name, new, old, names):
    values = np.repeat([new, old], ROWS // 2) + np.resize([0, 0, 1], ROWS)
    values[0] = 2018 if new > 2000 else values[0]
    dataset = described(with_behaviour(name, values))
    found = named(with_behaviour(name, values), dataset, np.repeat([1, 2], ROWS // 2))
    known = [found[segment].archetype for segment in (1, 2)]
    assert [kind.name if kind else None for kind in known] == names


# Planted groups, by the typical amount of each column, and the names that a marketer would give.
SHOP = ("spent", "orders", "recency days", "coupons used", "days as customer")
PLANTED = {
    "Best customers": (2000, 40, 5, 2, 700),
    "Dormant customers": (150, 2, 300, 2, 700),
    "High-value customers gone quiet": (1500, 12, 300, 2, 700),
    "Infrequent newcomers": (150, 2, 5, 2, 30),
    "Bargain hunters": (500, 12, 40, 25, 400),
}


def test_who_buys_more_uses_more_coupons_and_is_no_bargain_hunter():
    """Nor is a couple a family."""
    groups = np.repeat([1, 2, 3], ROWS // 3)
    orders = np.array([4, 40, 9])[groups - 1] + np.resize([0, 1, 2], ROWS)
    coupons = np.array([1, 6, 9])[groups - 1] + np.resize([0, 0, 1], ROWS)
    table = with_behaviour("orders", orders).assign(coupons=coupons, household_size=1 + groups % 2)
    known = {kind.name: kind for kind in described(table).archetypes}
    members = members_of(table, described(table), groups)
    hunters = Phrase("", known["Bargain hunters"].when)
    assert [members.claim(hunters, segment).holds for segment in (1, 2, 3)] == [False, False, True]
    families = Phrase("", known["Families"].when)
    assert not any(members.claim(families, segment).holds for segment in (1, 2, 3))


@pytest.mark.parametrize("dated", [False, True])
def test_planted_customers_get_the_names_that_marketers_give_them(dated):
    rng = np.random.default_rng(6)
    typical = np.repeat(list(PLANTED.values()), ROWS // len(PLANTED), axis=0)
    drawn = pd.DataFrame(typical * rng.lognormal(0, 0.15, typical.shape), columns=SHOP)
    drawn = drawn.round().astype(int)
    if dated:
        for old, new in (("recency days", "last order"), ("days as customer", "customer since")):
            drawn[new] = pd.Timestamp("2024-02-29") - pd.to_timedelta(drawn.pop(old), "D")
    dataset = described(drawn)
    found = named(drawn, dataset, np.repeat(range(len(PLANTED)), ROWS // len(PLANTED)))
    assert [entry.name for entry in found.values()] == list(PLANTED)
    assert all(entry.archetype.advice for entry in found.values())


@pytest.mark.parametrize("kind", KINDS)
def test_two_thirds_of_the_customers_are_of_a_known_kind(kind):
    table = simulate(kind)
    dataset = described(table)
    customers = cleaning.clean(reading_of(table).numbered, dataset).customers
    built = features.build_features(customers, dataset)
    preparation = features.fit_preparation(built, dataset.features_with("segment"))
    matrix = preparation.transform(built).to_numpy()
    labels = fit_kmeans(matrix, 5, n_init=3).labels
    found = named(table, dataset, labels)
    assert len({entry.name for entry in found.values()}) == 5
    assert np.mean([found[label].archetype is not None for label in labels]) >= 2 / 3


def test_a_name_that_says_average_stands_on_the_average():
    said = [kind for kind in LIBRARY["archetypes"] if "average" in kind["name"]]
    assert len(said) >= 6
    for kind in said:
        (role, sign), *_ = kind["pattern"].items()
        assert f"mean({role}) {'>' if sign > 0 else '<'} mean_all({role})" in kind["when"]

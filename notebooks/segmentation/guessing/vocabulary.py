"""The words in columns' names that the guesses go by."""

from __future__ import annotations

import re

ABBREVIATIONS = {
    "amt": "amount", "avg": "average", "bal": "balance", "chng": "change", "ct": "count",
    "cnt": "count", "dt": "date", "mnt": "amount of", "mon": "months", "no": "number",
    "nr": "number", "num": "number", "pct": "percent", "prc": "percent", "prods": "products",
    "qty": "quantity", "trans": "transaction", "trx": "transactions",
}  # fmt: skip
SENSITIVE = frozenset(
    "age gender genre sex marital married education educational birth birthday dob race ethnicity "
    "ethnic religion nationality citizenship disability language pregnant".split()
)
DESCRIPTIVE = frozenset(
    "country geography region city state county province area location district occupation job "
    "profession employment employer household family kids kidhome teenhome children child teen "
    "dependents dependent dependants housing home house homeowner residence senior partner".split()
)
NOMINAL = frozenset(
    "channel region type class segment cluster group category status area branch store level grade "
    "code response plan tier brand model make department zone gender sex marital education "
    "geography country state city occupation".split()
)
OUTCOMES = frozenset(
    "churn churned exited attrition default defaulted target label response complain fraud "
    "converted subscribed cancelled left".split()
)
PERSONAL = re.compile(
    r"(.+ )?(first|last|sur|fore|given|family|full|user|middle|maiden|customer|client|holder|person"
    r"|contact) ?names?|name|surname|(.+ )?(e ?mail|mail)( address)?"
    r"|(.+ )?(phone|telephone|mobile|fax)( number| no| nr)?"
    r"|(.+ )?(street|address|ip|ssn|iban|passport"
    r"|social security( number)?|card number|licen[cs]e plate)( \d)?"
    r"|(.+ )?url|twitter|facebook|linkedin"
)
MODEL_OUTPUT = re.compile(
    r".*(naive bayes|classifier|predicted|prediction|probability|propensity).*"
)
MONEY = frozenset(
    "amount amt balance income salary spend spent spending purchases payment payments price cost "
    "costs revenue sales limit debt mortgage monetary charges charge fee fees deposit deposits "
    "savings turnover mnt expenses expenditure budget wage wages advance gmv clv cltv ltv "
    "bakery clothing electronics".split()
)
GOODS = frozenset(
    "fresh milk grocery frozen meat fish wine wines fruit fruits sweet sweets detergents "
    "delicassen delicatessen".split()
)
MONEY |= GOODS
SPENDING = frozenset("mnt amount amt spend spent spending sales revenue expenditure".split())
NUMBER_OF = frozenset("num number count cnt ct qty quantity".split())
COUNT = frozenset(
    "num number count cnt qty quantity visits orders trx transactions trans kids kidhome teenhome "
    "children dependents items products calls clicks tickets complaints contacts ct logins "
    "sessions freq times cards".split()
)
SCORES = frozenset("score rating rank index satisfaction points".split())
SHARES = frozenset("ratio rate share frequency percent pct prc percentage utilization utilisation "
                   "proportion".split())  # fmt: skip
VALUES = (
    r"(.* )?(clv|cltv|ltv|lifetime value)",
    r"(.* )?(monetary|revenue|turnover|gmv)( .*)?",
    r"(total|annual|yearly|monthly|sum) ?(of )?.*(spend|spent|spending|purchases?|sales|charges"
    r"|amount|amt|expenditure)",
    r"purchases|sales|spend|spent|spending|amount( spent)?|charges|payments?",
)
PARTIAL_VALUES = (
    r"(.* )?(purchases?|sales|spend|spent|spending|purchase amount|amount spent)( .*)?",
)
CUSTOMER_WORDS = re.compile(r"\b(customer|cust|client|user|member|household|account|holder)")
RECORD_WORDS = re.compile(r"\b(row|record|sl|s|sr|serial|index|line|no|nr)\b")

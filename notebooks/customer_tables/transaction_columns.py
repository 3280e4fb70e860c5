"""Which columns of a file of transactions are what: by their names, and by what they say."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from itertools import combinations
from types import MappingProxyType
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from customer_tables.dates import EPOCH, convert, parse_dates
from customer_tables.duckdb_cells import DIGITS
from customer_tables.duckdb_files import Lines, quoted
from customer_tables.errors import UserError
from customer_tables.line_kinds import settle_line_kinds
from customer_tables.names import MINOR, full_name, is_identifier_name, normalise, split_name
from customer_tables.numbers import parse_numbers
from customer_tables.sniff import NO_UTF_8
from customer_tables.source import MARK, Roles, Source, answer, summands, unknown_role
from customer_tables.text import joined
from customer_tables.vocabulary import (
    COUNT,
    DESCRIPTIVE,
    HOUSEHOLD,
    INCOME,
    LIBRARY,
    MONEY,
    NO_CUSTOMER,
    NOMINAL,
    OF_CUSTOMERS,
    PLACES,
    RECORD_WORDS,
    SCORES,
    SENSITIVE,
    YEARS,
)

MOST_DISTINCT = 0.8  # customers a row up to which several rows share a customer
FEW = 20  # customers below which a repeated word is no customer
PROVING_ROWS, MOST_AMOUNTS = 1_000, 12  # by which a product of two others is found, and among
OFFERED_ROWS, JUDGED = 20_000, 500  # by which columns are offered for a role, and cells of them
ENOUGH = 30  # customers with more than one order, by whom a column is judged
NO_CODE = MONEY | COUNT | SCORES | INCOME | YEARS | SENSITIVE | DESCRIPTIVE  # words of amounts ...
LONGEST = 60  # letters of the mean customer; remarks have more
SMALL = 20  # below which whole numbers are how many rather than how much
FEW_PIECES = 3  # up to which half of the lines have pieces, where these are no money
ASIDE = set(  # words of what is no purchase, or a part of one
    "balance saldo solde refund refunded refunds tax taxes vat gst cgst sgst igst tva iva mwst ust "
    "btw kdv fee fees commission shipping freight postage delivery handling versand tip tips "
    "discount discounts remaining outstanding limit".split()
)
OF_WHO = re.compile(  # times of customers
    rf"({LIBRARY['roles']['joined']['certain']}|{LIBRARY['roles']['last_active']['certain']}"
    r"|.*\b(birth|dob|customer|last|since)\b.*)"
)
ROW_NUMBER = re.compile(
    r"(row|index|serial|sl|s|sr|seq)( ?(no|nr|num|number|id|names?))?|unnamed 0"
)
MONTHS = re.compile("month|monat|mois|mes|mese|m[êe]s|maand|miesi[ąa]c|месяц|月|ay")
NO_AMOUNT = frozenset(  # words of what is a number, and neither money nor pieces
    "via flag method mode status employee phone mobile day days dow weekday week hour hours month "
    "months year years age lat long latitude longitude category occupation rank is km kwh min "
    "minutes gb mb kg litres liters".split()
)
NO_WHO = (DESCRIPTIVE - HOUSEHOLD) | NOMINAL | PLACES | {"title", "titel", "titre", "título"}
PER_PIECE = {"price", "cost", "preis", "prix", "precio", "prezzo", "cena", "prijs"}
PRICED = {"price", "sales", "revenue", "turnover", "preis", "prix", "precio", "prezzo"}
MOST_DOCUMENTS = 1.1  # a customer and time: more are numbers of lines
CONSTANT = 0.95  # share of them in whose lines it says the same

WHO = "customer|cust|client|household|hh|member|user|shopper|buyer|consumer|visitor|donor|patient"
WHO += "|subscriber|constituent|policy ?holder|guest|passenger|insured|person"
TO_ADD = {
    "time": ": add one of days, or of months like 2024-12, or bring one row a customer",
    "amount": ": add one called amount, with 1 on each line, to count visits",
}
ASKED = {"customer": "who bought", "time": "when", "amount": "for how much"}
NO_ROLES: Roles = MappingProxyType({})
MEANINGS = ("purchase", "refund", "ignore")  # roles of cells, not of columns
SALE = "invoice|order|basket|booking|reservation|transaction|trans|txn|trx|receipt|ticket|bill|"
SALE += "purchase|sale|sales|inv|folio|docket|slip"
NUMBER = "id|no|nr|nbr|num|number|key"
SOLD = re.compile(rf"({SALE}|trip|ride)\b")  # what a number is of
DONE = re.compile(
    rf"{SOLD.pattern}|(case|check|session|opportunity|event|call|shipment|delivery)\b"
)
# For each part, patterns over a column's name in lower-case words; the earlier pattern wins.
# The last lines of a part are of other languages.
PARTS: dict[str, tuple[str, ...]] = {
    "customer": (
        rf"(customer|cust|client|buyer|shopper) (({WHO}) )*({NUMBER}|code|ref(erence)?)",
        rf"(({WHO}) )+({NUMBER}|code|ref(erence)?)",
        rf"({WHO})",
        rf"({WHO}) (pseudo|anonymous|unique) id|({WHO}) (full )?name|"
        rf"(({WHO}|billing|contact|from) )?e ?mail( address| billing)?",
        r"(bill(ing)? to|billing|contact) (full )?name",
        rf"((loyalty|lylty|member(ship)?) )?(card|account)( ({NUMBER}))|msisdn|"
        r"(contract|billing|vertrags) ?(account|konto)",
        r"(kunden?|klanten|klant|cliente?|klienta?|müşteri|клиента?|покупател[ья]) ?"
        r"(nummer|nr|id|no|code|kodu?|numarası|код|номер)|kunde|"
        r"((код|номер|id) )?(клиента?|покупател[ья]|заказчика?)|"
        r"(客户|顾客|会员|用户|顧客|会員|お客様)(编号|id|号|代码|名称|番号|コード|名)?|"
        r"(n|id|num[ée]ro|code) ?(du )?client|"
        r"kunden ?(karte|konto)|"
        r"(auftraggeber|debitor(en)?|debiteur(en)?|débiteur) ?(nummer|nr|id|code)?",
        r"((codice|c[oó]d(igo)?|id|n|n[uú]mero) (del? |do )?)?cliente|klienta?|klant|müşteri",
        r"rechnungsempfänger|ragione sociale|raz[óo]n social|nabywca|kontrahent|afnemer|acheteur|"
        r"comprador",
    ),
    "time": (
        rf"({SALE}|event|gift|donation|visit|appointment) ?"
        r"(date ?time|time ?stamp|date|time|day|dt|ts)( time)?",
        r"date ?time|time ?stamp|date|created( at)?|purchased( (at|on))?|"
        r"(created|creation|payment|paid|settlement) ?(date|time|at)|document date|day|"
        r"order (purchase|approved) (timestamp|at)|"
        r"(placed|ordered|bought|sold|paid|completed|processed|booked|posted|invoiced) ?(at|on)",
        r"posted|((unix|epoch) ?)?(ts|time)|(billing|bill|invoice|accounting) ?(month|period)",
        r"(rechnungs|bestell?|kauf|bon|beleg|buchungs|faktura|factuur|order|aankoop)? ?datum|"
        r"date (de )?(la )?(facture|commande|achat|cde|vente|pi[eè]ce)|"
        r"aangemaakt( op)?|(erstellt|bestellt|gekauft|gebucht|bezahlt)( am)?",
        r"fecha ?((de )?(la )?(compra|pedido|factura|venta))?|"
        r"data( (d[aeo] )?(ordine|acquisto|compra|zakupu|pedido|vendita|venda))?",
        r"((sipariş|fatura|satış) )?tarihi?|дата( (заказа|покупки|продажи))?|"
        r"data (zamówienia|sprzedaży|faktury|wystawienia|documento|fattura|emissione|emissão)|"
        r"fecha (de )?(emisi[óo]n|documento)|buchungstag|"
        r"(下单|订单|交易|购买|销售)?(时间|日期)|"
        r"(注文|購入|取引|売上)?(日|日付|日時)|(booking|posting) date",
    ),
    "amount": (
        rf"(line|total|tot|net|gift|donation|payment|{SALE}) ?(amount|amt|value|sales|revenue)",
        r"(line|row) total|ext(ended)? (price|amount)|"
        r"(total|line) (price|spent|spend|cost)|amount( (paid|spent))?|revenue|turnover",
        r"gross ?(amount|amt|value|sales)|"
        r"sales|spent|dollars?|euros?|pounds?|usd|eur|gbp|(total|paid|spent|order|net) ?"
        r"(usd|eur|gbp|value)|spend|spending|(grand )?total|subtotal|value|"
        r"(order|purchase|invoice) total( amount)?|purchase",
        r"(gesamt|netto|brutto)?(betrag|umsatz|preis|wert|summe)( (netto|brutto))?|"
        r"montant( total)?|chiffre d affaires",
        r"net|netto|gross|brutto|item total|invoice amount|base imponible|imponibile",
        r"import[eo]( total[e]?)?|monto( total)?|(kwota|wartość)( zamówienia| netto| brutto)?|"
        r"tutarı?|bedrag|"
        r"сумма( (заказа|покупки))?|стоимость|"
        r"(订单|交易|销售|实付|支付|消费|購入|売上|注文|合計)?金[额額]|"
        r"valor( total)?|"
        r"totale?( (de(l|lla)? )?(pedido|compra|factura|commande|facture|ordine|fattura))?|"
        r"(montant|total|prix)? ?(ttc|ht)",
    ),
    "quantity": (
        r"(ordered |order |prod(uct)? |line ?item )?(quantity|qty)( ordered)?|units( sold)?|"
        r"number of (items|units)|items",
        r"(auftrags|bestell)?menge|anzahl|aantal|quantit[éeàa]|qt[ée]|cantidad|quantidade|ilość|"
        r"adet|"
        r"miktar|количество|数量",
    ),
    "price": (
        r"(unit|item|avg|average|list|line ?item) ?(price|cost)|price( (each|per unit))?|"
        r"(sales?|selling|retail) ?price",
        r"(einzel|stück|stueck)preis|prix( unitaire)?|(p ?u|prix unitaire) ?(ht|ttc)?|"
        r"precio( unitario)?|pre[çz]zo( unitario)?|preço( unit[áa]rio)?|prijs|cena|"
        r"(birim )?fiyatı?|цена|单价|単価",
    ),
    "order": (
        rf"({SALE}) ?({NUMBER}|code)|num ?(factura|pedido)|(factuur|order) ?(nummer|nr)",
        r"invoice|receipt|basket|order|check|\w+ order (id|no|number)|"
        r"(document|doc|voucher|sales record) ?(no|nr|number|id)",
        r"(rechnungs|bestell|auftrags|beleg|bon) ?(nummer|nr)|(verkaufs|abrechnungs)?beleg|"
        r"faktura ?(nummer|nr)?|fi[şs] ?(no|numarası)|"
        r"n(umer|úmero|umero|um)? (do |de |del )?(documento|dokumentu|faktury|pi[eè]ce)|"
        r"(n|num[ée]ro|code) ?(de )?(la )?"
        r"(facture|commande|ticket)",
        r"((nr?|num(ero|éro)?|n[úu]mero|номер|id|c[óo]d(igo|ice)?) ?(d[eio]l? )?)?"
        r"(scontrino|ricevuta|paragonu?|fattura|factura|fatura|recibo|pedido|bestelling|bon|"
        r"sipariş|"
        r"zamówienia|заказа?|чека?|订单|注文)( ?(id|nr|n|no|号|编号|番号))?",
    ),
    "product": (
        rf"(stock|product|prod|item|article|material) ?({NUMBER}|code)|material",
        r"sku|upc|ean|product|article|item|product name|item name",
        r"artikel ?(nummer|nr)?|produkt|produit|(code|n|r[ée]f[ée]rence) ?(produit|article)",
    ),
    "category": (
        r"(product |item |main )?(category|department|product line)( name)?",
        r"(product |item )?(group|family|section|type)",
        r"(waren|produkt|artikel)gruppe|kategorie|cat[ée]gorie|rayon",
    ),
    "discount": (
        r"(.+ )?(discount|disc|markdown)( (amount|value|percent(age)?|pct|rate))?",
        r"(.+ )?(rabatt|rabat|remise|descuento|desconto|sconto|korting)"
        r"( (in |en )?(betrag|prozent|pct|montant|importe|pourcent(age)?|porcentaje|percentuale))?",
    ),
    "coupon": (r"coupons?( (amount|value|discount|disc))?",),
}


MEASURED_IN = re.compile(  # behind a name
    r"(?<=\w) (in )?(euros?|eur|usd|gbp|chf|pln|brl|mxn|cad|aud|sek|nok|dkk|czk|lcy|utc|gmt|"
    r"руб(лей)?|zł|kč|r|"
    r"(excl?|incl?|exkl|inkl)( (btw|vat|tax|mwst|ust|gst|iva))?)$"
)
COLUMN_ROLES = (*PARTS, "status", "currency", "describe")
SEVERAL = ("amount", "discount", "coupon", "describe", "status")  # may name several columns
ROLES = (*COLUMN_ROLES, *MEANINGS)  # what --role may say of transaction lines


def recognise(names: Iterable[str], roles: Roles = NO_ROLES) -> Source | None:
    """Tell which columns of a header hold customer, time, amount and so on.

    Returns
    -------
    Source or None
        None where a customer, a time, or an amount (or quantity and price) is missing.

    Raises
    ------
    UserError
        If a role was given to a column that there is not.
    """
    parts = match_parts(names, roles)
    return None if lacking(parts) else Source(grain="transaction", **parts)


def match_parts(names: Iterable[str], roles: Roles = NO_ROLES) -> dict[str, Any]:
    """Return the fields of a `Source` that a header tells; roles that were given go before names.

    Raises
    ------
    UserError
        If a role was given to a column that there is not.
    """
    words = {str(name): split_name(str(name)) for name in names}
    found = _given_parts(words, roles)
    words = {n: " ".join(MINOR.sub("", w).split()) or "amount" for n, w in words.items()}
    words = {n: MEASURED_IN.sub("", w) for n, w in words.items()}
    ignored = {normalise(name) for name in roles.get("ignore", ())}
    for part, patterns in PARTS.items():
        taken = {
            name for text in found.values() if isinstance(text, str) for name in summands(text)
        }
        free = [n for n in words if n not in taken and normalise(n) not in ignored]
        hits = (n for p in patterns for n in free if re.fullmatch(_joined(p), words[n]))
        if part not in found and (hit := next(hits, None)):
            found[part] = hit
        elif part == "customer" and part not in found and (both := full_name(free)):
            found[part] = both
    return found


def _given_parts(names: Collection[str], roles: Roles) -> dict[str, Any]:
    """Return the fields of a `Source` that were given as roles."""
    found: dict[str, Any] = {role: roles[role] for role in MEANINGS if role in roles}
    for role in COLUMN_ROLES:
        columns = [find_column(names, column, role) for column in roles.get(role, ())]
        columns = columns if role in SEVERAL else columns[-1:]
        found |= {role: f" {MARK} ".join(columns)} if columns else {}
    return found


def _joined(pattern: str) -> str:
    """Let the words of a pattern stand without a space: CUSTOMERNAME is a customer name."""
    return pattern.replace(" ?", " ").replace(" ", " ?")


def find_column(names: Collection[str], wanted: str, role: str) -> str:
    """Return the column that a role was given to, whatever its case and punctuation.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    spellings = {normalise(name): name for name in names} | {name: name for name in names}
    if found := spellings.get(wanted) or spellings.get(normalise(wanted)):
        return found
    close = get_close_matches(wanted, list(names), 1)
    raise UserError(
        f"there is no column {wanted[:80]!r} for the role {role!r}",
        where=f"--role {role}={wanted[:80]}; columns: {', '.join(names)[:300]}",
        remedy=f"is it {close[0]!r}?" if close else "name one of these columns",
    )


def lacking(parts: Collection[str]) -> list[str]:
    """Return which of customer, time and amount a header does not tell."""
    worth = "amount" in parts or {"quantity", "price"} <= set(parts)
    known = {*parts} | ({"amount"} if worth else set())
    return [part for part in ("customer", "time", "amount") if part not in known]


def find_transactions(lines: Lines, roles: Roles = NO_ROLES) -> Source | None:
    """Tell whether a file holds transaction lines: by its names, and how often customers repeat.

    A role that only customers' tables have says that it holds none.

    Returns
    -------
    Source or None
        None where a row is a customer, or the file is for `read_table` to explain.

    Raises
    ------
    UserError
        If its rows are lines or receipts, and it is not known who bought, when or for how much.
    """
    if roles.keys() & (OF_CUSTOMERS - {*ROLES}):
        return None
    with suppress(duckdb.Error):
        parts = match_parts(lines.types, roles)
        missing, who, several = lacking(parts), parts.get("customer", ""), ""
        if "customer" not in roles and "order" in parts:
            several = _of_several_orders(lines, parts)
            who = several or who
            parts |= {"customer": who} if who else {}
        told = roles.keys() & {"time", "amount", "quantity", "price"}
        if not missing and (
            told or who == match_parts(lines.types).get("order")
        ):  # of each receipt
            return _settled(lines, parts, roles)
        if who:
            counts = f"count({quoted(who)}), approx_count_distinct({quoted(who)}), count(*)"
            rows, customers, every = lines.ask(counts)[0]
            if customers >= MOST_DISTINCT * rows:
                if not missing and customers >= FEW and 2 * rows <= every:
                    raise _with_gaps(lines, who)
                if not missing and _are_seldom(lines, parts):
                    return _settled(lines, parts, roles)
                return None
            if not missing:
                _refuse_namesakes(lines, parts, roles)
                return _settled(lines, parts, roles)
            if customers >= FEW and (several or not _other_customers(lines, parts)):
                raise _incomplete(lines, parts, missing)
    return None


def require_customers(lines: Lines, roles: Roles) -> None:
    """Ask whose rows are that none of a customer's columns distinguishes, beside an amount.

    Each has a time, pieces of goods, or a number of what was sold: in any language, that is what
    somebody did rather than who somebody is.

    Raises
    ------
    UserError
        If rows are that.
    """
    parts = match_parts(lines.types, roles)
    if "customer" in parts or roles.keys() & (OF_CUSTOMERS - {*ROLES}):
        return
    with suppress(duckdb.Error):
        known = {"product", "category", "order"} & set(parts)
        likely = offers(lines, {part: parts[part] for part in known})
        times = [*dict.fromkeys([*likely["time"], *filter(None, [parts.get("time")])])]
        times = [c for c in times if c not in roles.get("ignore", ())]
        if "order" not in parts:  # a day alone may be one of 31
            times = [c for c in times if not OF_WHO.fullmatch(split_name(c))]
            times = [c for c in times if c in likely["time"] or split_name(c) != "day"]
        times = [c for c in times if c not in likely["amount"]]  # how long something took
        dated = times or _tell_months(lines)
        sold = "quantity" in parts and not {"product", "category"}.isdisjoint(parts)
        codes = [c for c in lines.types if is_identifier_name(c)]
        sold = sold or any(SOLD.match(split_name(c)) and _is_unique(lines, c) for c in codes)
        worth = {"amount", "price"} & set(parts) or likely["amount"] or likely["customer"]
        if not (dated or sold) or not worth or _tell_rows_apart(lines, parts):
            return
        if not times or not _are_listed(lines, parts, times):
            raise _incomplete(lines, parts, lacking(parts))


def _are_listed(lines: Lines, parts: dict[str, Any], times: list[str]) -> bool:
    """Whether numbers or codes rise from row to row, and no time does: a list of customers.

    Purchases are listed as they happen, and their numbers rise with their times.
    """
    head = lines.ask("*", f"LIMIT {OFFERED_ROWS}")
    frame = pd.DataFrame(head, columns=list(lines.types)).astype("str")
    for column in times:
        days = frame[column].str.replace(f"^{DIGITS.pattern}$", r"\1-\2-\3", regex=True)
        dates = parse_dates(pa.array(days.str.rstrip("-"), pa.string()))
        for order in ("dmy", "mdy"):
            passed = pd.Series(convert(dates, order)).diff().dropna()
            if not (passed < pd.Timedelta(0)).mean() > 1 - CONSTANT:
                return False
    free = [c for c in frame if c not in parts.values() and c not in times]
    words = {c: split_name(c) for c in free}
    free = [c for c in free if not ROW_NUMBER.fullmatch(words[c]) and not DONE.match(words[c])]
    numbers = (frame[c].str.extract(r"^[^\s.,]*?(\d+)\D*$")[0].astype(float) for c in free)
    return any((values.diff().iloc[1:] > 0).all() for values in numbers)


def _of_several_orders(lines: Lines, parts: dict[str, Any]) -> str:
    """Return another column called after customers where a customer stands for one order only.

    Some shops number their customers anew with each order, and tell them apart elsewhere.
    """
    others = [c for c in lines.types if is_identifier_name(c) and re.match(WHO, split_name(c))]
    others = [c for c in others if c not in parts.values()]
    if not others or "customer" not in parts:
        return ""
    one, order = quoted(parts["customer"]), quoted(parts["order"])
    counts = ", ".join(f"count(DISTINCT {quoted(c)})" for c in others)
    told = f"count(DISTINCT {one}), count(DISTINCT {order}), count(DISTINCT concat({one}, {order}))"
    who, orders, both, *several = lines.ask(f"{told}, {counts}")[0]
    fewer = [c for c, n in zip(others, several, strict=True) if FEW <= n < who]
    return fewer[0] if fewer and who == orders == both else ""


def _settled(lines: Lines, parts: dict[str, Any], roles: Roles) -> Source:
    """Return the source of lines, or ask where an amount may be a number of pieces."""
    amount, rest = parts.get("amount", ""), {n: p for n, p in parts.items() if n != "amount"}
    prices = offers(lines, {n: p for n, p in rest.items() if n != "price"})["amount"]
    prices = [c for c in prices if c != amount and PRICED & {*split_name(c).split()}]
    if prices and amount in lines.types and "amount" not in roles:
        # Of a bare cell DuckDB's reader of text would make a cast that fails at the first sign.
        cells = (f"trim(CAST({quoted(name)} AS VARCHAR))" for name in (amount, prices[0]))
        one, other = (f"TRY_CAST({cell} AS DOUBLE)" for cell in cells)
        half = f"median({one}), median({other})"
        few, price, whole = lines.ask(f"{half}, bool_and({one} = floor({one}))")[0]
        most = price if PER_PIECE & {*split_name(prices[0]).split()} else FEW_PIECES
        if whole and few and price and few <= most and few < price:
            raise UserError(
                f"{amount!r} may be no money but pieces: whole numbers with a median of {few:g}, "
                f"below that of {prices[0]!r}, {price:g}",
                where=f"{lines.name}, columns {amount!r} and {prices[0]!r}",
                remedy=f'--role quantity="{amount}" if {prices[0]} is the price of a piece; '
                f'--role amount="{prices[0]}" if it is that of the line; '
                f'--role amount="{amount}" if that is money',
                answer=answer(quantity=[amount]),
            )
    parts = {"order": _document(lines, parts, roles), **parts}
    return settle_line_kinds(lines, Source(grain="transaction", **parts))


def _document(lines: Lines, parts: dict[str, Any], roles: Roles) -> str:
    """Return a column of any name whose letters and digits tell purchases at one time apart.

    Numbers of lines do so, too: there are more of them than of customers and times together.
    """
    taken = {name for text in parts.values() if isinstance(text, str) for name in summands(text)}
    taken |= {name for names in roles.values() for name in names}
    free = [c for c in lines.types if c not in taken and c.strip()] if "order" not in parts else []
    both = (f"trim(CAST({quoted(parts[part])} AS VARCHAR)) <> ''" for part in ("customer", "time"))
    named = " AND ".join(both)  # on an order's first line
    some = f"(SELECT * FROM {lines.sql} WHERE {named} LIMIT {OFFERED_ROWS})"
    who = f"{quoted(parts['customer'])}, {quoted(parts['time'])}"
    free = [c for c in free if not NO_CODE & {*split_name(c).split()}]
    for column in (c for c in free if not NO_CUSTOMER.search(split_name(c))):
        cell = f"CAST({quoted(column)} AS VARCHAR)"
        mixed = f"regexp_matches({cell}, '[A-Za-z#].*[0-9]|[0-9].*[A-Za-z]|^[0-9]{{4,}}$')"
        of_one = f"count(DISTINCT {cell}), count(DISTINCT concat_ws('|', {cell}, {who}))"
        told = f"{of_one}, count(DISTINCT concat_ws('|', {who})), min({cell}) FILTER ({mixed})"
        codes, together, times, code = lines.run(f"SELECT {told} FROM {some} AS some_lines")[0]
        if not code or ":" in code or DIGITS.fullmatch(code):
            continue
        if parse_dates(pa.array([code])).valid[0] or ROW_NUMBER.fullmatch(split_name(column)):
            continue
        if FEW <= codes == together <= MOST_DOCUMENTS * times:
            return column
    return ""


def _refuse_namesakes(lines: Lines, parts: dict[str, Any], roles: Roles) -> None:
    """Ask whether rows are customers of whom some have the same name, or purchases."""
    who, others = full_name(lines.types), {parts.get("order"), parts.get("product")}
    codes = sorted(_customer_codes(lines) - others) if parts["customer"] == who else []
    codes = [code for code in codes if _is_unique(lines, code)]
    if codes and "customer" not in roles:
        raise UserError(
            f"a row may be a customer ({codes[0]}) or a purchase of the person that it names",
            where=f"{lines.name}: {', '.join(lines.types)[:300]}",
            remedy=f'say which: --role customer="{codes[0]}" or --role customer="{who}"',
        )


def _with_gaps(lines: Lines, who: str) -> UserError:
    """Say that a customer stands in the first of several lines only, as in merged cells."""
    first = lines.ask(f"min({quoted(who)})")[0][0]
    return UserError(
        f"a customer is named only in the first of its lines: {who!r} is empty in most of them",
        where=f"{lines.name}, column {who!r}{lines.line_of(str(first))}",
        remedy="fill the empty cells down in the spreadsheet, or give the workbook with its merged "
        "cells (.xlsx)",
    )


def complete(lines: Lines, source: Source, roles: Roles = NO_ROLES) -> Source:
    """Complete a [source] that names only some roles by guessing the others from the header.

    Roles that were given go before what it says.

    Raises
    ------
    UserError
        If a role is unknown or its column is not there, or a needed one is neither named nor found.
    """
    if unknown := roles.keys() - set(ROLES):
        raise unknown_role(min(unknown), ROLES)
    named = {role: summands(getattr(source, role)) for role in COLUMN_ROLES}
    named |= {role: getattr(source, role) for role in MEANINGS}
    wanted = {role: tuple(columns) for role, columns in named.items() if columns} | dict(roles)
    if lacking(wanted):
        parts = match_parts(lines.types, wanted)
        if missing := lacking(parts):
            raise _incomplete(lines, parts, missing)
        source = replace(source, **parts)
    elif roles:
        source = replace(source, **_given_parts(lines.types, roles))
    return settle_line_kinds(lines, source)


def _are_seldom(lines: Lines, parts: dict[str, Any]) -> bool:
    """Whether rows are purchases of customers who seldom come back.

    Most rows have an order of their own then, or one customer in twenty has several times.
    """
    who, when = quoted(parts["customer"]), quoted(parts["time"])
    order = quoted(parts.get("order", parts["customer"]))
    counts = f"count(*), count(DISTINCT {who}), count(DISTINCT concat_ws('|', {who}, {when}))"
    rows, customers, times, orders = lines.ask(f"{counts}, count(DISTINCT {order})")[0]
    numbered = order != who and orders >= MOST_DISTINCT * rows
    numbered = numbered and not OF_WHO.fullmatch(split_name(parts["time"]))
    return rows >= FEW and (numbered or times - customers > (1 - CONSTANT) * customers)


def _other_customers(lines: Lines, parts: dict[str, Any]) -> list[str]:
    """Return the columns that tell every row apart and are called after customers."""
    if parts["customer"] == full_name(lines.types):  # namesakes
        return [c for c in _customer_codes(lines) if _is_unique(lines, c)]
    named = [c for c in lines.types if c != parts["customer"] and is_identifier_name(c)]
    named = [c for c in named if re.match(rf"({WHO}|person)", split_name(c))]
    return [c for c in named if _is_unique(lines, c)]


def _is_unique(lines: Lines, column: str) -> bool:
    return lines.ask(f"count(*) = count(DISTINCT {quoted(column)})")[0][0]


def _customer_codes(lines: Lines) -> set[str]:
    """Return the columns of identifiers whose names do not say that they are of anything else."""
    words = {c: split_name(c) for c in lines.types if is_identifier_name(c)}
    return {c for c, w in words.items() if not NO_CUSTOMER.search(w) and not RECORD_WORDS.search(w)}


def _tell_rows_apart(lines: Lines, parts: dict[str, Any]) -> bool:
    """Whether a column of identifiers does so that are of nothing done, sold or numbered."""
    codes = [c for c in lines.types if is_identifier_name(c) and c not in parts.values()]
    words = {c: split_name(c) for c in codes}
    codes = [c for c in codes if not NO_CUSTOMER.search(words[c]) and not DONE.match(words[c])]
    codes = [c for c in codes if "order" not in parts or not RECORD_WORDS.search(words[c])]
    codes = [c for c in codes if not ROW_NUMBER.fullmatch(words[c])]
    return any(_is_unique(lines, code) for code in codes)


def _tell_months(lines: Lines) -> bool:
    """Whether a column holds years and another one months, by their names."""
    words = {split_name(c) for c in lines.types}
    return bool(words & YEARS) and any(MONTHS.fullmatch(word) for word in words)


def _incomplete(lines: Lines, parts: dict[str, Any], missing: list[str]) -> UserError:
    """Say which parts of transaction lines are not recognised, and offer columns for each."""
    likely = offers(lines, parts)
    said, options = joined([ASKED[part] for part in missing]), []
    for part in missing:
        if part == "amount" and "quantity" in parts and likely[part]:
            price = next((c for c in likely[part] if PER_PIECE & {*split_name(c).split()}), "")
            options += [f'price: is it {price}? --role price="{price}"; '] if price else []
        shown = " or ".join(likely[part][:3])
        if not shown:
            options.append(f"{part}: no other column could be it{TO_ADD.get(part, '')}; ")
            continue
        first = [set(split_name(column).split()) for column in likely[part][:2]]
        alike = part == "amount" and len(first) > 1 and not MONEY.isdisjoint(first[0] & first[1])
        both = "".join(f' --role {part}="{column}"' for column in likely[part][:2])
        both = f", or both added up?{both}" if alike else ""
        options.append(f'{part}: is it {shown}? --role {part}="{likely[part][0]}"{both}; ')
    if "customer" in missing and not likely["customer"] and "order" in parts:
        options.append(
            f'--role customer="{parts["order"]}" makes each {parts["order"]} a customer; '
        )
    paid = [parts[part] for part in ("amount", "price") if part in parts]
    pieces = [parts["quantity"]] if "quantity" in parts else []
    worth = [*dict.fromkeys([*paid, *likely["amount"], *pieces])]
    if "customer" in missing and len(worth) > 1:
        codes = [code for code in sorted(_customer_codes(lines)) if not _is_unique(lines, code)]
        others = "".join(f'--role ignore="{code}" ' for code in codes)
        options.append(f'{others}--role value="{worth[0]}" if each row is a customer worth that')
    key = (
        parts.get("customer") or parts.get("order") or next(iter(likely["customer"]), "no customer")
    )
    return UserError(
        f"a row seems to be no customer but a line or a receipt ({key}), and no column is "
        f"recognised that says {said}",
        where=f"{lines.name}: {', '.join(lines.types)[:300]}",
        remedy="".join(options).rstrip("; ") + _other_letters(lines),
        answer=answer(**{part: likely[part][:1] for part in missing}),
    )


def _other_letters(lines: Lines) -> str:
    """Name the option that mends names whose letters were misread."""
    guessed = any(change.what == NO_UTF_8 for change in lines.changes)
    return "; if letters are wrong, say how they are stored: --encoding cp1250" * guessed


def offers(lines: Lines, parts: dict[str, Any]) -> dict[str, list[str]]:
    """Return the columns whose cells could be a customer, a time or an amount, likely ones first.

    Judged by the first lines: a time is written as one, an amount is a number, and a customer
    stands in several lines, by name or number.
    """
    head = lines.ask("*", f"LIMIT {OFFERED_ROWS}")
    cells_of = zip(*head, strict=True) if head else [()] * len(lines.types)
    rows = dict(zip(lines.types, cells_of, strict=True))
    if "amount" in lacking(parts):  # a price without a quantity can be one
        parts = {part: name for part, name in parts.items() if part not in ("price", "quantity")}
    taken = {name for text in parts.values() if isinstance(text, str) for name in summands(text)}
    found: dict[str, list[str]] = {"customer": [], "time": [], "amount": []}
    whole: list[str] = []  # numbers that may be of customers
    broken: set[str] = set()  # with parts of a unit, as amounts have
    few: set[str] = set()  # whole numbers of how many
    for column, cells in rows.items():
        texts = sorted({str(cell).strip() for cell in cells if cell is not None} - {""})
        if column in taken or not texts:
            continue
        filled = len(cells) - cells.count(None) - cells.count("")
        distinct = pa.array(texts, pa.string())
        some = distinct.take(pa.array(np.linspace(0, len(distinct) - 1, JUDGED).astype(int)))
        plain = all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in some.to_pylist())
        numeric = 1.0 if plain else parse_numbers(some).valid.mean()
        code = is_identifier_name(column)
        since = (
            not code
            and not NO_CUSTOMER.search(split_name(column))
            and all(re.fullmatch(EPOCH, t) or DIGITS.fullmatch(t) for t in texts)
        )
        clock = all(re.fullmatch(r"\d{1,2}[:h]\d\d(:\d\d)?", text) for text in texts)
        if since or (not plain and parse_dates(some).valid.mean() > 0.9):
            found["time"].append(column)
        elif (
            len(distinct) >= FEW
            and (code or NO_WHO.isdisjoint(split_name(column).split()))
            and sum(map(len, texts)) <= LONGEST * len(texts)
            and len(distinct) < MOST_DISTINCT * filled
            and ((numeric < 0.1 and not clock) or code)
        ):
            found["customer"].append(column)
        elif split_name(column) != "time" and _are_numbers_of_people(distinct, filled):
            whole.append(column)
        elif (
            numeric > 0.9
            and not code
            and len(texts) != 2
            and NO_AMOUNT.isdisjoint(split_name(column).split())
        ):
            found["amount"].append(column)
            broken |= {column} if any(re.search(r"[.,]\d{1,2}\D*$", t) for t in texts) else set()
            few |= {column} if plain and all(float(t) in range(SMALL) for t in texts) else set()
    found["customer"].sort(key=lambda c: not re.match(WHO, split_name(c)))
    found["customer"] += whole
    if times := [*filter(None, [parts.get("time")]), *found["time"]][:1]:
        frame = pd.DataFrame({c: rows[c] for c in (*found["customer"], *times)}).astype("str")
        once = {c: frame.groupby(c)[times[0]].nunique().eq(1).mean() for c in found["customer"]}
        found["customer"].sort(key=lambda c: once[c] > CONSTANT)  # as numbers of orders do
    of_line = _products({c: rows[c][:PROVING_ROWS] for c in found["amount"][:MOST_AMOUNTS]})
    said = {c: set(split_name(c).split()) for c in found["amount"]}
    # What is the same in all rows comes last, and another whole number in each if nothing else is.
    codes = {c for c in said if len(set(rows[c])) == len(rows[c]) and c not in broken}
    found["amount"] = [c for c in found["amount"] if c not in codes] or found["amount"]
    same = {c for c in said if len(set(rows[c])) == 1 and c not in broken}
    found["amount"].sort(
        key=lambda c: (
            *(c in same or not said[c].isdisjoint(ASIDE), c not in of_line, c in few),
            "total" not in said[c],
            *(said[c].isdisjoint(MONEY), c not in broken),
        )
    )
    return found


def _products(columns: dict[str, Sequence[Any]]) -> set[str]:
    """Return the columns that are the product of two others: of the pieces and their price."""
    numbers = {
        column: np.array([_as_float(cell) for cell in cells]) for column, cells in columns.items()
    }
    return {
        column
        for column, paid in numbers.items()
        for one, other in combinations([n for c, n in numbers.items() if c != column], 2)
        if np.isclose(paid, one * other, rtol=0.01).mean() > CONSTANT > (one == 1).mean()
        and (paid != 0).mean() > 0.5
    }


def _as_float(cell: object) -> float:
    """Return a number however its decimals are marked; NaN for anything else."""
    try:
        return float(re.sub(r"[^\d.,-]", "", str(cell)).replace(",", "."))
    except ValueError:
        return np.nan


def _are_numbers_of_people(distinct: pa.StringArray, rows: int) -> bool:
    """Whether whole numbers, neither years nor round amounts, stand on several rows each."""
    bare = [text.removeprefix("+") for text in distinct.to_pylist()]
    lengths = {len(text) for text in bare}
    same = min(lengths) >= 4 and all(text.isdigit() for text in bare)
    years = all(re.fullmatch("(19|20)..", text) for text in bare)
    amounts = sum(text.endswith("0") for text in bare) >= 0.5 * len(bare)
    return same and not years and not amounts and FEW <= len(distinct) < MOST_DISTINCT * rows


def find_descriptors(lines: Lines, source: Source) -> Source:
    """Add the columns that say the same in all lines of a customer.

    What changes from order to order, such as a way of delivery, is recognised by customers with
    several orders.
    """
    if source.describe:
        return source
    used = used_columns(source)
    free = [c for c in lines.types if c not in used and MARK not in c and c.strip()]
    who, when = quoted(source.customer), quoted(source.order or source.time)
    ends = "".join(f", min({quoted(c)}), max({quoted(c)})" for c in free)
    names = "".join(f", low{i}, high{i}" for i in range(len(free)))
    alike = "avg(CAST(low{0} IS NOT DISTINCT FROM high{0} AS INTEGER))"
    same = "".join(
        f", {alike}, approx_count_distinct(low{{0}})".format(i) for i in range(len(free))
    )
    several = (
        f"SELECT {who}{ends} FROM {lines.sql} WHERE {who} IS NOT NULL "
        f"GROUP BY {who} HAVING min({when}) <> max({when})"
    )
    customers, *judged = lines.run(f"SELECT count(*){same} FROM ({several}) AS t(who{names})")[0]
    if customers < ENOUGH:
        return source
    pairs = zip(free, judged[::2], judged[1::2], strict=True)
    found = [name for name, constant, n in pairs if constant >= CONSTANT and n > 1]
    return replace(source, describe=f" {MARK} ".join(found))


def used_columns(
    source: Source, parts: Iterable[str] = (*COLUMN_ROLES, "own_brand")
) -> dict[str, str]:
    """Return the columns of a file that a [source] names, each with the first part that does."""
    used: dict[str, str] = {}
    for part in parts:
        named = getattr(source, part)
        names = [named.partition("=")[0].strip() if part == "own_brand" else named]
        for name in summands(named) if part in SEVERAL else names:
            used.setdefault(name, part)
    used.pop("", None)
    return used

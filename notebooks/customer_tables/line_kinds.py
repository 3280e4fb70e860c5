"""What a transaction line is, as its own columns say: a purchase, a refund, or neither.

A column of statuses, types or events is never ignored: its cells are understood by the words below,
or by what the user says of them, and counted. What neither explains is asked.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from customer_tables.changes import Change
from customer_tables.columns import unit_in_name
from customer_tables.dates import parse_dates
from customer_tables.duckdb_files import Lines, Run, literal, quoted
from customer_tables.errors import UserError
from customer_tables.names import normalise, split_name
from customer_tables.numbers import CURRENCIES, SIGNS
from customer_tables.source import MARK, Roles, Source, answer, summands
from customer_tables.text import counted, did_you_mean, joined
from customer_tables.words import NO, YES

SAMPLE_ROWS = 200_000
MOST_KINDS = 40  # different cells up to which a column can say what lines are
FEW_KINDS = 12  # the same for a column whose name says nothing of the sort
SPELT_OUT = 6  # answers to one question
PURCHASE, REFUND, IGNORE = "purchase", "refund", "ignore"
_THE = r"((wc|fully|successfully|order|payment|line|item|product|offer|transaction|event|is) )?"
# What cells say, as lower-case words, some in six other languages. The first kind that fits.
WORDS = {
    IGNORE: _THE
    + r"(cancell?(ed)?|cancellation|void(ed)?|fail(ed|ure)?|declined|refused|rejected|denied|"
    r"expir(ed?|y)|abandoned|draft|deleted|(closed )?lost|test|unpaid|error|invalid|fraud|"
    r"duplicate|"
    r"((sub|grand) ?)?total|quote|zwischensumme|summe|gesamt|"
    r"quotation|estimate|view(ed)?|(page|product|item) ?view(ed)?|view ?(item|product|page|cart)s?|"
    r"(begin|start|initiate)(ed)? ?checkout|checkout ?(started|begun|initiated)|"
    r"(add(ed)? ?to ?|remove(d)? ?from ?|update )?(cart|basket|wish ?list|favou?rites)|"
    r"click(ed)?|impression|search|log ?in|log ?out|sign ?up|"
    r"session( start)?|scroll|no ?show|visit(ed)?|browse|bookmark|pv|cart|fav(ou?rite)?|"
    r"ansicht|warenkorb|merkliste|vue|panier|vista|carrito|visualizzazione|carrello|"
    r"点击|浏览|加购|收藏|"
    r"bounced|storniert|stornierung|abgebrochen|annul[ée]e?|annulation|annulering|cancelaci[óo]n|"
    r"cancelamento|anulaci[óo]n|annullamento|anulowani[ae]|cancelad[oa]|anulad[oa]|annullat[oa]|"
    r"cancellat[oa]|"
    r"geannuleerd|anulowan[aey]|i̇?ptal( edildi)?|отмен[её]н[ао]?|已?取消|キャンセル(済み?)?)"
    r"|.*취소(완료)?|offer (received|completed)",
    REFUND: _THE + r"(storno(rechnung)?|returns?|returned|refunds?|refunded|credit (note|memo)|"
    r"charge ?backs?|charged back|reversals?|reversed|rma|reimburse(d|ment)|"
    r"retoure?|r[üu]ckgabe|gutschrift|erstattung|"
    r"retour(n[ée]e?)?|rembours[ée]e?|remboursement|avoir|devuelt[oa]|devoluci[óo]n|devolvid[oa]|"
    r"reembolsad[oa]|reso|rimborsat[oa]|geretourneerd|terugbetaald|erstattet|zwrotu?|"
    r"zwr[óo]con[aey]|devolu[çc][ãa]o|reembolso|rimborso|teruggave|(i̇?|İ)ade( edildi)?|"
    r"[ck]redit ?(nota|faktura|factuur|invoice)|dobropis|hyvityslasku|"
    r"(customer|goods?) returns?|waren ?r[üu]ckgabe|r[üu]cksendung|"
    r"возврат|возвращ[её]н[ао]?|已?(退款|退货)|返品|返金|.*(환불|반품)(완료)?)"
    r"( (of|de|di|du|d|von|van|do|da) \w+)?",
    PURCHASE: _THE
    + r"(ok(ay)?|purchased?|sales?|sold|bought|buy|order(ed)?|paid|payment|shipped|dispatched|"
    r"delivered|completed?|(un)?fulfilled|closed|(closed )?won|resolved|invoiced?|billed|approved|"
    r"success(ful)?|succeeded|checked out|captured|settled|confirmed|processed|(in )?process(ing)?|"
    r"sales? receipt|transaction|charged?|earn(ed)?|accru(ed|al)|"
    r"rechnung|quittung|facture|factura|fattura|fatura|faktura|factuur|"
    r"sent for settle|cobrad[oa]|facturad[oa]|incassat[oa]|saldat[oa]|"
    r"gekauft|kauf|verkauf|versandt|versendet|geliefert|zugestellt|bezahlt|abgeschlossen|"
    r"achat|vente|"
    r"exp[ée]di[ée]e?|livr[ée]e?|pay[ée]e?|venta|compra|entregad[oa]|enviad[oa]|pagad[oa]|pag[oa]|"
    r"completad[oa]|entregue|vendita|venda|consegnat[oa]|spedit[oa]|pagat[oa]|completat[oa]|"
    r"verkoop|geleverd|verzonden|betaald|afgerond|zrealizowan[aey]|wysłan[aey]|opłacon[aey]|"
    r"tamamland[ıi]|teslim edildi|ödendi|оплачен[ао]?|выполнен[ао]?|доставлен[ао]?|отправлен[ао]?|"
    r"販売|売上|销售|购买|판매|已?(完成|付款|支付|发货|签收)|完了|発送済み?|支払済み?|(배송|결제|주문|거래)(중|완료)|구매확정)",
}
# A refund written as a participle happened to the line itself: "refunded", "remboursé".
BILLED = re.compile(r"((sales?|customer) )?(invoice[sd]?|charges?|bill(s|ed)?|sales?|purchases?)")
HAPPENED = re.compile(r".*(완료|ed( back)?|é|ée|[td][oa]|eerd|aald|edildi|щ[её]н[ао]?|tet)|已.*")
REVERSED = re.compile(r"storn|revers|annul|anul|cancel")  # whole, rather than in part
WHOSE = r"customer|client|user|member|membership|loyalty|account|marital|civil|family|employment|"
WHOSE += r"life|lifecycle|job|working|education|health|housing|home|tax|credit|vip|stock|inventory|"
WHOSE += r"subscription"
OF_A_LINE = r"order|line|transaction|trans?|trx|txn|payment|financial|invoice|sales?|purchase|"
OF_A_LINE += r"bill|receipt|record|document|doc|entry|movement|posting"
WHOSE += r"|coupon|promo|promotion|voucher|kunden?|mitglieds?|familien|klant|civil|client"
STATUS = re.compile(
    rf"(?!({WHOSE}) ?)(.+[ -])?(.*status|stage|statut|статус|.*상태|.*สถานะ|κατάσταση|حالة.*|"
    r"الحالة|סטטוס|trạng thái|.*állapot)"
    rf"( (?!date|time|at|since|chang|updat).+)?|({OF_A_LINE}) ?state"
)
TYPE = re.compile(
    rf"(({OF_A_LINE}) ?)?(type|kind|action)|(event|action|activity)( ?(type|name))?"
    r"|(vorgangs)?art|vorgang"
)
# Types of documents: which of them are credit notes has to be known.
DOCUMENT = re.compile(
    r"(document|doc|invoice|billing|voucher|movement|posting) ?(type|kind|class)|"
    r"(beleg|buchungs|dokument|bewegungs) ?(art|typ)|tipo (de |di )?(doc(umento)?|movimento)|"
    r"tipo (de )?(factura|movimiento|comprobante)|type (de |d )?(pi[eè]ce|document|facture)|"
    r"(typ|rodzaj) (dokumentu|faktury)|(document|factuur) ?(soort|type)|fkart|auart|vbtyp"
)
INVOICES = frozenset("inv rg fac fact fa fv ft fs".split())
# Words for a status that can mean other things, too: a state, or how somebody is.
STATE = re.compile(
    r"(e?stado|stato|[ée]tat|zustand|situa[çc][ãa]o|durum|stav|.*状态|.*状況)( d.+)?"
)
EVENT = re.compile(
    r"(event|action|behaviou?r|evento?|[ée]v[èé]nement|ereignis|行为)( ?(type|name|类型))?"
)
FLAG = re.compile(
    rf"(is |was |({OF_A_LINE}|item|product|article|goods|ticket|booking|reservation) )*"
    r"((date|datum|fecha|data|дата) (of |de (la )?|d |di |d[aeo] )?)?"
    r"(?P<event>cancel(l?ed|l?ation)?|cxl|no ?show|bounced|revers(al|ed)|void(ed)?|"
    r"return(ed)?|refund(ed)?|test|deleted|fraud(ulent)?|failed|duplicate|abandoned|expired|"
    r"declined|"
    r"storno|storniert|stornierung|annulation|annulering|cancelaci[óo]n|cancelamento|"
    r"anulaci[óo]n|annullamento|anulowania|キャンセル|取消|remboursement|reembolso|rimborso|"
    r"devolu[çc][ãa]o|erstattung|r[üu]ckgabe|retour|zwrotu|annul[ée]e?|anulad[oa]|"
    r"cancelad[oa]|annullat[oa]|geannuleerd|i̇?ptal|retoure?|erstattet|rembours[ée]e?|"
    r"devuelt[oa]|devoluci[óo]n|reso|geretourneerd|zwrot|i̇?ade|"
    r"возврат|отмен[её]н[ао]?)s? ?"
    r"(at|on|date|time|flag|yn|ind|indicator|am|le|il|el|op|em|datum|tarihi|日)?"
)
# How words begin that say that a purchase came to nothing: in a column of few different cells, of
# any name, they make it known or asked what its lines are.
HINT = re.compile(
    r"\b(cancel|storn|annul|anul|void|no ?show|refund|return|retour|rembours|reembols|rimbors|"
    r"devol|erstatt|r[üu]ck(gabe|send|erst)|terugbet|geretour|zwrot|zwr[óo]c|i̇?ade\b|i̇?ptal|"
    r"charge ?back|declined|failed|rejected|bounced|tender\b|[ck]redit ?(nota|note|memo|fa[ck]t)|"
    r"missed\b|absent|faltou|falt[óo]\b|desmarcad|abgesagt|nicht erschienen|non present|uteblev|"
    r"peruttu|zru[šs]en|estorno|r[üu]cklast|gutschrift|dobropis|hyvity|korekta|nota d[ei] cr)|"
    r"取消|キャンセル|退款|退货|返品|返金|환불|반품|취소|возврат|отмен"
)
RARELY = 1 / 3  # of the lines, up to which a time may say that a purchase came to nothing
# Which way an amount goes, as banks write it: only the user knows which one is a purchase.
WAYS = frozenset("debit credit d c dr cr db soll haben s h 支出 收入 prijem vydaj".split())
PAIRS = [{"s", "r"}, {"p", "r"}, {"i", "c"}, {"f", "a"}, {"f", "r"}]  # sales and returns, perhaps
# What takes back what was agreed, or only promises it, and what stands beside it as bought.
UNDONE = re.compile(r"churn|contraction|downgrade|downsell|cancell?ation|pledge")
AGREED = re.compile(
    r"new( (business|customer|logo|mrr|subscription|sale))?|expansion|upgrade|upsell|reactivation|"
    r"renewal|cash|che(ck|que)|credit card|(one time )?(gift|donation)|pay( .+)?|payment"
)
WAY = re.compile(
    r"(d c|dr ?cr|cr ?dr|dc|debit( or)? credit|credit( or)? debit|soll ?haben|s h|收支)"
    r"( (indicator|ind|flag|code|mark|sign|type|kennzeichen|kz))?"
)
CURRENCY = re.compile(
    r"(.+ )?(currency|ccy|w(ä|ae?)hrung|devise|moneda|moeda|valuta|валюта)( (code|iso|symbol))?"
)
GIVEN_BACK = re.compile(  # amounts, on the line of the purchase
    r"(total )?(refund(ed)?|returned|erstattet(er)?|rembours[ée]e?|reembolsad[oa]|rimborsat[oa]) "
    r"(amount|total|value|betrag|montant|importe|importo)|refunds?|refunded|returned|"
    r"(order )?refund amount|(refunded|returned) (qty|quantity|units|items)|"
    r"(amount|total|qty|quantity|units|items) (refunded|returned)"
)
# Letters in the numbers of credit notes: words, usual abbreviations, and what may be anything.
NOTES = re.compile(
    r"credit(note|memo|nota|factuur)?|storno(rechnung)?|rechnungskorrektur|abono|rectificativa|"
    r"notacr[ée]dito|notadecr[ée]dito|notedecr[ée]dit|korekta"
)
LIKELY = frozenset("cn crn cm gs gut rtn ret rfd avo avr nc ncr kor fvk zw stn st rk".split())
POSSIBLE = frozenset("c cr r re rf rx sr k a av ab fr dev d fk g s".split())
# A whole text that says so: "Refund of order 12", and not "Return of the Jedi".
_OF = r"([ :–-]+(of|for|to|on|zu[mr]?|auf|f[üu]r|sur|de|del|di|van|do|the|your|order|invoice|"
_OF += r"bestellung|rechnung|commande|facture|pedido|factura|ordine|fattura|bestelling|factuur|"
_OF += r"zam[óo]wienia|faktury|no|nr|n[°º]|id))*[ .:#–-]*([a-z]{0,4}[-/ ]?[0-9][0-9a-z/-]*)?"
REVERSAL = r"|cancellation|stornierung|annulation|anulaci[óo]n|annullamento|korekta"
REVERSAL += r"|r[üu]ckerstattung|rimborso|reembolso|not[ae] d[ei] cr[ée]dito?"
BACK = rf"^\s*({WORDS[REFUND]}{REVERSAL}){_OF}\s*$"
PERHAPS_BACK = r"^\s*(credit (note|memo)|refund|gutschrift|storno|r[üu]ckerstattung|charge ?back)\b"
HAPPENED_ALONE = r"^\s*\S*(ed|é|ée|[td][oa]|eerd|aald|tet)\s*$"  # to a line, or by it
RARE, MINOR_SHARE = 0.1, 1 / 3  # of the lines
EVIDENT = 0.5  # share of lines before which the same customer bought, or bought the same
LETTERS = "translate(upper(basket), '0123456789 -/_.:#', '')"
MOMENT, A_TIME = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*$", "a time"


def kind_of(column: str, cell: str) -> str:
    """Tell what a line is by a cell of a column; empty where no list of words knows it.

    In a column such as ``cancelled``, an answer or a time of the event says whether it happened.
    """
    words, name = split_name(cell), split_name(column)
    if not words:
        return PURCHASE
    if flag := FLAG.fullmatch(name):
        if words in NO | {"0", "0 0"}:
            return PURCHASE
        if words in YES | {"1", "1 0", "x", A_TIME}:
            return _known(flag["event"]) or IGNORE
    if DOCUMENT.fullmatch(name) and words in LIKELY | INVOICES:
        return REFUND if words in LIKELY else PURCHASE
    return _known(words)


def _known(words: str) -> str:
    return next((kind for kind, known in WORDS.items() if re.fullmatch(known, words)), "")


def settle_line_kinds(lines: Lines, source: Source) -> Source:
    """Find the columns that say what a line is, and the one of its currency, unless they are given.

    A column is taken by its name where some cell is understood, or a status or event says more
    than one thing; by its cells alone where most are understood and some are no purchases.
    """
    used = {source.customer, source.time, source.amount, source.quantity, source.price}
    used |= {source.order, source.product}
    ignored = {normalise(name) for name in source.ignore}
    free = [c for c in lines.types if c not in used and normalise(c) not in ignored]
    free = [c for c in free if c.strip() and MARK not in c]
    if not free or (source.status and source.currency):
        return source
    sample = replace(lines, sql=f"(SELECT * FROM {lines.sql} LIMIT {SAMPLE_ROWS})")
    counts = ", ".join(f"count(DISTINCT {_text(c)})" for c in free)
    distinct = dict(zip(free, sample.ask(counts)[0], strict=True))
    status, currency = [], source.currency
    said = {normalise(word) for word in (*source.purchase, *source.refund)}
    for column in free:
        name = split_name(column)
        if GIVEN_BACK.fullmatch(name) and _refuse_given_back(sample, column):
            continue
        if distinct[column] > MOST_KINDS:
            _ask_of_rare_times(sample, source, column)
            continue
        cells = [cell for cell, _ in _cells(sample, column) if cell.strip()]
        known = [kind for kind in (kind_of(column, cell) for cell in cells) if kind]
        kinds = {*known, *([""] if len(known) < len(cells) else [])}
        signs = {cell.strip().lower() for cell in cells}
        if CURRENCY.fullmatch(name) or (len(signs) > 1 and signs <= CURRENCIES.keys()):
            currency = currency or column
        elif (
            _undoes(cells)
            or (signs in PAIRS and TYPE.fullmatch(name))
            or said & set(map(normalise, cells))
        ):
            status.append(column)
        elif (
            len(signs) > 1
            and signs <= WAYS
            and (TYPE.fullmatch(name) or WAY.fullmatch(name) or len(min(signs, key=len)) > 1)
        ):
            status.append(column)
        elif any(names.fullmatch(name) for names in (STATUS, EVENT, DOCUMENT)):
            status += [column] if len(cells) > 1 or kinds != {""} else []
        elif any(names.fullmatch(name) for names in (FLAG, TYPE, STATE)) and kinds - {""}:
            status.append(column)
        elif len(cells) <= FEW_KINDS and 2 * len(known) > len(cells) and {*known} - {PURCHASE}:
            status.append(column)
        elif (
            1 < len(cells) <= FEW_KINDS
            and any(HINT.search(split_name(cell)) for cell in cells)
            and not re.match(rf"({WHOSE})\b", name)
            and not FLAG.fullmatch(name)
            and _varies(sample, source, column)
        ):
            status.append(column)
    found = source.status or f" {MARK} ".join(status)
    category = "" if source.category in (*status, currency) else source.category
    return replace(source, status=found, currency=currency, category=category)


def _varies(lines: Lines, source: Source, column: str) -> bool:
    """Whether some customer's lines differ in a column: else it describes the customer."""
    of_one = f"SELECT 1 FROM {lines.sql} GROUP BY {quoted(source.customer)} "
    of_one += f"HAVING count(DISTINCT coalesce(CAST({quoted(column)} AS VARCHAR), '')) > 1"
    return bool(lines.run(f"SELECT count(*) FROM ({of_one}) AS customers")[0][0])


def _ask_of_rare_times(lines: Lines, source: Source, column: str) -> None:
    """Ask about a second time that few lines have, as the day of a cancellation is."""
    cell = f"trim(CAST({quoted(column)} AS VARCHAR))"
    told = (
        f"count(*), count(*) FILTER ({cell} <> ''), min({cell}) FILTER ({cell} <> ''), max({cell})"
    )
    every, rows, *ends = lines.ask(told)[0]
    if not 0 < rows <= RARELY * every or not parse_dates(pa.array(ends, pa.string())).valid.all():
        return
    if all(re.search(r"\d\D+\d", end) for end in ends) and _varies(lines, source, column):
        raise UserError(
            f"{counted(rows, 'line')} of {every:,} have a time in {column!r}, such as {ends[0]!r}: "
            "it may be when a purchase was cancelled or given back",
            where=f"{lines.name}, column {column!r}",
            remedy='call the column "cancelled at" or "refunded at" if it is; else '
            f'--role ignore="{column}"',
            answer=answer(ignore=[column]),
        )


def _undoes(cells: Iterable[str]) -> bool:
    """Whether some cells take back, or only promise, what others say was bought."""
    words = {split_name(cell) for cell in cells}
    return all(any(map(said.fullmatch, words)) for said in (UNDONE, AGREED))


def _refuse_given_back(lines: Lines, column: str) -> bool:
    """Refuse a column of amounts that were given back, if there are any: it reduces others.

    Return whether it holds amounts or pieces at all, rather than answers or words.
    """
    text = f"trim(CAST({quoted(column)} AS VARCHAR))"
    told = f"count(*), min({text}), max({text})"
    filled, least, most = lines.ask(told, f"WHERE {text} <> ''")[0]
    if not filled or not re.search(r"\d", most) or {least, most} <= {"0", "1"}:
        return False
    back = f"regexp_matches({text}, '[1-9]')"
    lines_back, cell = lines.ask(f"count(*), min({text})", f"WHERE {back}")[0]
    if lines_back:
        raise UserError(
            f"{column} says of {counted(lines_back, 'line')} that an amount was given back, such "
            f"as {cell[:30]!r}",
            where=f"{lines.name}, column {column!r}",
            remedy="take it off the amounts, or write it on lines of its own, below zero; "
            f'--role ignore="{column}" counts the full amounts',
            answer=answer(ignore=[column]),
        )
    return True


def _cells(lines: Lines, column: str) -> list[tuple[str, int]]:
    """Return the different cells of a column, each with its lines, most lines first."""
    return lines.ask(f"{_text(column)}, count(*)", "GROUP BY 1 ORDER BY 2 DESC, 1")


def _text(column: str) -> str:
    """Return the expression of a cell's text, in which all times of an event are one."""
    text = f"coalesce(CAST({quoted(column)} AS VARCHAR), '')"
    if FLAG.fullmatch(split_name(column)):
        return f"regexp_replace({text}, {literal(MOMENT)}, {literal(A_TIME)})"
    return text


def line_kinds(lines: Lines, source: Source) -> tuple[dict[str, str], list[Change]]:
    """Return the conditions of a refund and of a line to ignore, and how many lines they concern.

    A refund is a line of its own in a column of types or events, and where it is a noun; the
    status of an order that was given back means that nothing was kept: such a line is no purchase.

    Raises
    ------
    UserError
        If it is not known what a cell means, or amounts are in several currencies.
    """
    conditions: dict[str, list[str]] = {REFUND: [], IGNORE: []}
    changes: list[Change] = []
    given = {
        cell.strip().casefold(): kind
        for kind in (PURCHASE, REFUND, IGNORE)
        for cell in getattr(source, kind)
    }
    for column in summands(source.status):
        unknown: list[tuple[str, int]] = []
        cells = _cells(lines, column)
        billed = any(BILLED.fullmatch(split_name(cell)) for cell, _ in cells)
        undoes = _undoes(cell for cell, _ in cells)
        for cell, count in cells:
            pays = billed and re.fullmatch("payments?", split_name(cell))  # what was bought before
            known = "" if pays else kind_of(column, cell)
            known = PURCHASE if undoes and AGREED.fullmatch(split_name(cell)) else known
            kind = given.get(cell.strip().casefold()) or known
            unknown += [] if kind else [(cell, count)]
            if kind == PURCHASE and not cell.strip() and not FLAG.fullmatch(split_name(column)):
                changes.append(Change(f"lines without {column}", column, count, "kept as bought"))
            if kind not in conditions:
                continue
            said = cell.strip().casefold() in given
            own = _is_own_line(column, cell) or said
            action = "left out: no purchase"
            if kind == REFUND and own and not said and _undo_nothing(lines, source, column, cell):
                kind, action = IGNORE, "left out: their customers have no purchase of that amount"
            elif kind == REFUND and own:
                action = "taken off the value; no purchase"
            elif kind == REFUND:
                kind, action = IGNORE, "left out: bought and given back"
            elif not said and _are_below_zero(lines, source, column, cell):
                kind, action = REFUND, "taken off the value: below zero"
            conditions[kind].append(f"{_text(column)} = {literal(cell)}")
            changes.append(Change(f"lines that say {cell.strip()[:40]!r}", column, count, action))
        if unknown:
            raise _unknown(column, unknown, lines.name)
        told = {cell.strip().casefold() for cell, _ in cells}
        refund, ignore = (
            tuple(word for word in words if word.casefold() not in told)
            for words in (source.refund, source.ignore)
        )
        source = replace(source, refund=refund, ignore=ignore)  # not looked for elsewhere
    for kind, condition, change in _told_in_texts(lines, source):
        conditions[kind].append(condition)
        changes.append(change)
    if source.currency:
        left = _one_currency(lines, source, given)
        conditions[IGNORE] += [says for says, _ in left]
        changes += [change for _, change in left]
    return {kind: " OR ".join(says) or "false" for kind, says in conditions.items()}, changes


def _undo_nothing(lines: Lines, source: Source, column: str, cell: str) -> bool:
    """Whether most of the reversals in a column have no purchase of the same amount beside them."""
    typed = any(names.fullmatch(split_name(column)) for names in (TYPE, DOCUMENT))
    if typed or not source.amount or not REVERSED.match(split_name(cell)):
        return False
    key = f"{quoted(source.customer)}, trim(CAST({quoted(summands(source.amount)[0])} AS VARCHAR))"
    says = f"{_text(column)} = {literal(cell)}"
    bought = f"SELECT {key} FROM {lines.sql} WHERE NOT {says}"
    alone = f"avg(CAST(({key}) NOT IN ({bought}) AS INTEGER))"
    return (lines.ask(alone, f"WHERE {says}")[0][0] or 0) > 0.5


def _are_below_zero(lines: Lines, source: Source, column: str, cell: str) -> bool:
    """Whether all amounts of lines that say something are: they reverse what was bought before."""
    if not source.amount:
        return False
    paid = f"trim(CAST({quoted(summands(source.amount)[0])} AS VARCHAR))"
    below = f"bool_and(regexp_matches({paid}, '^[(-]|-$'))"
    return bool(lines.ask(below, f"WHERE {_text(column)} = {literal(cell)}")[0][0])


def require_words(lines: Lines, source: Source, roles: Roles) -> None:
    """Refuse words for purchases, refunds and what to ignore that no column or cell begins with."""
    words = [(kind, word) for kind in (PURCHASE, REFUND, IGNORE) for word in roles.get(kind, ())]
    words = [(k, word) for k, word in words if normalise(word) not in map(normalise, lines.types)]
    begins = "coalesce(CAST({0} AS VARCHAR) ILIKE {1}, false)"
    for kind, word in words:
        found = " OR ".join(begins.format(quoted(c), literal(f"{word}%")) for c in lines.types)
        if not lines.ask(f"bool_or({found})")[0][0]:
            said = [cell.strip() for c in summands(source.status) for cell, _ in _cells(lines, c)]
            raise UserError(
                f"no column is called {word[:40]!r}, and no cell says so",
                where=f"{lines.name}: --role {kind}={word[:40]}",
                remedy=did_you_mean(word, [*said, *lines.types], "write it as the file does"),
            )


def _told_in_texts(lines: Lines, source: Source) -> list[tuple[str, str, Change]]:
    """Return the conditions of refunds, and of lines to ignore, that texts such as goods' say.

    Raises
    ------
    UserError
        If a text begins like a refund and goes on otherwise, or may be what became of a purchase.
    """
    used = {source.customer, source.time, source.order, source.currency, *summands(source.status)}
    used |= {c for c in lines.types if normalise(c) in set(map(normalise, source.ignore))}
    texts = [c for c, kind in lines.types.items() if kind == "VARCHAR" and c not in used]
    given = {
        kind: "|".join(rf"^\s*{re.escape(word)}\b" for word in getattr(source, kind)) or "^$a"
        for kind in (REFUND, IGNORE)
    }

    def says(column: str, pattern: str) -> str:
        return f"coalesce(regexp_matches({quoted(column)}, {literal(f'(?i){pattern}')}), false)"

    exact = "|".join(rf"^\s*{re.escape(word)}\s*$" for word in source.ignore) or "^$a"
    every = "|".join([BACK, PERHAPS_BACK, given[REFUND], exact])
    hits = lines.ask(", ".join(f"bool_or({says(c, every)})" for c in texts))[0] if texts else ()
    found = []
    for column in (c for c, hit in zip(texts, hits, strict=True) if hit):
        back = f"{says(column, BACK)} AND NOT {says(column, HAPPENED_ALONE)}"
        ignored = f"(({says(column, given[IGNORE])} AND {says(column, every)})"
        ignored += f" OR {says(column, exact)})"
        told = f"(({says(column, given[REFUND])} OR {back}) AND NOT {ignored})"
        _ask_of_text(
            lines, source, column, f"{says(column, every)} AND NOT {told} AND NOT {ignored}"
        )
        for kind, condition in ((REFUND, told), (IGNORE, ignored)):
            rows, cell = lines.ask(f"count(*), min({quoted(column)})", f"WHERE {condition}")[0]
            action = "taken off the value" if kind == REFUND else "left out"
            what = f"lines that say {str(cell).strip()[:40]!r}" + " and the like" * (rows > 1)
            change = Change(what, column, rows, f"{action}; no purchase")
            found += [(kind, condition, change)] if rows else []
    return found


def _ask_of_text(lines: Lines, source: Source, column: str, unclear: str) -> None:
    """Ask what lines are whose text may say a refund; not where the amount is below zero."""
    amounts = summands(source.amount) or [source.quantity, source.price]
    cells = ", ".join(f"CAST({quoted(amount)} AS VARCHAR)" for amount in amounts)
    above = f"NOT regexp_matches(concat_ws(' ', {cells}), '[-(]')"
    told = f"WHERE {unclear} AND {above}"
    rows, cell = lines.ask(f"count(*), min({quoted(column)})", told)[0]
    if not rows:
        return
    found = re.match(PERHAPS_BACK, cell, re.IGNORECASE)
    word = found[1] if found else cell.strip()
    raise UserError(
        f"{counted(rows, 'line')} may be refunds or purchases: {column} says {cell[:40]!r}",
        where=f"{lines.name}, column {column!r}{lines.line_of(cell)}",
        remedy=f'say which: --role refund="{word}" takes them off, --role ignore="{word}" leaves '
        f'them out (no purchase), --role ignore="{column}" counts all lines as bought',
        answer=answer(refund=[word]),
    )


def credit_notes(lines: Lines, source: Source) -> tuple[list[str], list[Change]]:
    """Return the letters of the numbers by which orders are credit notes, and what is not clear.

    Letters that mean a credit note do so for certain, by themselves or as the only ones beside
    numbers without any (C536379); an abbreviation does where its customers had bought the same
    before. It is looked for in the table `lines` of the engine.

    Raises
    ------
    UserError
        If they may be credit notes or purchases, and it is not said which.
    """
    run = lines.run
    kind = run("SELECT typeof(basket) FROM lines LIMIT 1") if source.order else []
    if not kind or kind[0][0].upper() not in ("VARCHAR", "STRING"):
        return [], []
    above = "amount > 0 AND customer IS NOT NULL AND bought IS NOT NULL"
    orders = f"SELECT basket, count(*) AS told, count(*) FILTER ({above}) AS above FROM lines"
    told = f"SELECT {LETTERS}, sum(told), sum(above), min(basket) FROM ({orders} GROUP BY basket)"
    rows = run(f"{told} WHERE basket IS NOT NULL GROUP BY 1 LIMIT {MOST_KINDS + 1}")
    if len(rows) > MOST_KINDS:
        return [], []
    found = {letters: count for letters, count, *_ in rows}
    total = sum(found.values())
    given = {cell.upper() for cells in (source.purchase, source.refund) for cell in cells}
    notes, rare = [cell.upper() for cell in source.refund if cell.upper() in found], {}
    for letters, count, above, cell in sorted(rows):
        if letters in given or not letters or count > MINOR_SHARE * total:
            continue
        sure = letters == "C" and found.get("", 0) + count > (1 - RARE) * total
        sure = sure or bool(re.match(BACK, cell, re.IGNORECASE))
        likely = _likelihood(letters) + (0 if sure else _evidence(run, letters, source))
        if sure or likely > 2:
            notes.append(letters)
        elif likely == 2:
            raise _unclear(lines, source.order, letters, count, cell)
        elif above and count <= RARE * total:
            rare[letters] = above
    shown = joined([f"{letters} ({above:,})" for letters, above in rare.items()][:6])
    what = f"lines of orders with other letters in their number: {shown}"
    kept = Change(what, source.order, sum(rare.values()), "kept as bought")
    return sorted(notes), [kept] if rare else []


def _likelihood(letters: str) -> int:
    """Return how likely letters mean a credit note: 3 is certain, below 0 is not known to."""
    word = letters.lower()
    if NOTES.fullmatch(word) or kind_of("", word) == REFUND:
        return 3
    return 1 if word in LIKELY else 0 if word in POSSIBLE else -2


def _evidence(run: Run, letters: str, source: Source) -> int:
    """Return 2 where before most lines the customer bought the same otherwise, 1 for anything."""
    if _likelihood(letters) < 0:
        return 0
    what, there = "product" if source.product else "abs(amount)", "customer IS NOT NULL"
    told = f"SELECT customer, {what} AS what, bought FROM lines WHERE {there} AND {LETTERS}"
    first = "SELECT customer, {}min(bought) AS since FROM others GROUP BY ALL"
    query = f"""WITH notes AS ({told} = {literal(letters)} AND amount > 0),
        others AS ({told} <> {literal(letters)}),
        known AS ({first.format("")}), same AS ({first.format("what, ")})
    SELECT count(*), count(*) FILTER (known.since <= bought),
        count(*) FILTER (same.since <= bought)
    FROM notes LEFT JOIN known USING (customer) LEFT JOIN same USING (customer, what)"""
    rows, later, again = run(query)[0]
    return 0 if not rows else (later >= EVIDENT * rows) + (again >= EVIDENT * rows)


def _unclear(lines: Lines, column: str, letters: str, count: int, cell: str) -> UserError:
    """Ask whether orders are credit notes."""
    return UserError(
        f"orders such as {cell[:40]!r} ({counted(count, 'line')}) may be purchases or credit notes",
        where=f"{lines.name}, column {column!r}{lines.line_of(cell)}",
        remedy=f'say which: --role refund="{letters}" or --role purchase="{letters}"',
        answer=answer(refund=[letters]),
    )


def _is_own_line(column: str, cell: str) -> bool:
    """Whether a refund is a line of its own rather than what became of a purchase."""
    name = split_name(column)
    happened = any(names.fullmatch(name) for names in (STATUS, STATE, FLAG))
    happened = happened and not re.fullmatch(r"is (an? )?(refund|return)", name)
    happened = happened or bool(HAPPENED.fullmatch(split_name(cell)))
    return bool(TYPE.fullmatch(name) or DOCUMENT.fullmatch(name) or not happened)


def _unknown(column: str, cells: Iterable[tuple[str, int]], name: str) -> UserError:
    """Ask what cells mean, the most frequent ones first."""
    shown = [(cell.strip()[:40], lines) for cell, lines in cells][:MOST_KINDS]
    said = joined([f"{cell!r} ({counted(lines, 'line')})" for cell, lines in shown])
    words = [in_shell(cell.strip()) for cell, _ in cells][:SPELT_OUT]
    bought, first = " ".join(f"--role purchase={word}" for word in words), words[0]
    return UserError(
        f"it is not known whether a line was bought whose {column} says {said}",
        where=f"{name}, column {column!r}",
        remedy=f"say so for each: {bought}, --role refund={first} or "
        f'--role ignore={first} (no purchase); --role ignore="{column}" counts all lines',
        answer=answer(purchase=[cell.strip() for cell, _ in cells]),
    )


def in_shell(word: str) -> str:
    """Quote a word for a command line, as people do where that is enough."""
    return shlex.quote(word) if re.search(r'["$`\\]', word) else f'"{word}"'


def currency_of(lines: Lines, source: Source) -> str:
    """Return the sign of the currency that a column, a name or the first amount tells, if any."""
    ignored = set(map(str.casefold, source.ignore))
    for cell, _ in _cells(lines, source.currency) if source.currency else ():
        if (text := cell.strip()) and text.casefold() not in ignored:
            return CURRENCIES.get(text.lower(), text.upper())
    column = summands(source.amount or source.price)[0]
    if named := unit_in_name(column):
        return named if named in CURRENCIES.values() else ""
    if lines.types.get(column) != "VARCHAR":
        return ""
    sign = f"regexp_extract({quoted(column)}, {literal(f'(?i:{SIGNS})')})"
    first = lines.ask(sign, f"WHERE {quoted(column)} IS NOT NULL LIMIT 1")
    return CURRENCIES.get(first[0][0].lower(), "") if first else ""


def _one_currency(lines: Lines, source: Source, given: dict[str, str]) -> list[tuple[str, Change]]:
    """Return the conditions of lines in currencies to ignore; refuse several others."""
    rest: dict[str, int] = {}
    spelt: dict[str, str] = {}
    left = []
    for cell, count in _cells(lines, source.currency):
        text = cell.strip()
        if text and given.get(text.casefold()) == IGNORE:
            action = "left out: another currency"
            change = Change(f"lines in {text[:40]}", source.currency, count, action)
            left.append((f"{_text(source.currency)} = {literal(cell)}", change))
        elif text:
            sign = CURRENCIES.get(text.lower(), text.upper())
            rest[sign], spelt[sign] = rest.get(sign, 0) + count, text
    if len(rest) < 2:
        return left
    signs = sorted(rest, key=lambda sign: -rest[sign])
    listed = joined([f"{spelt[sign]} ({counted(rest[sign], 'line')})" for sign in signs])
    options = " ".join(f'--role ignore="{spelt[sign]}"' for sign in signs[1:6])
    raise UserError(
        f"the amounts are in {len(rest)} currencies: {listed[:300]}",
        where=f"{lines.name}, column {source.currency!r}",
        remedy=f"turn them into one currency, or leave out the lines of the others: {options}; "
        f'if the amounts are in one already, --role ignore="{source.currency}"',
        answer=answer(ignore=[spelt[sign] for sign in signs[1:]]),
    )

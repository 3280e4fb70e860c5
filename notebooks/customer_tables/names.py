"""What the name of a column says: whether it holds identifiers, codes or dates."""

from __future__ import annotations

import re
from collections.abc import Iterable

from customer_tables.source import MARK
from customer_tables.storage import text_digest
from customer_tables.text import slug

WHO = (
    "customer|cust|client|consumer|user|member|membership|account|acct|acc|card|credit card|cc|"
    "household|hh|person|borrower|applicant|patient|employee|subscriber|buyer|shopper|visitor|"
    "kunden?|klant|klienta?|cliente|m[uü][sş]teri|mitglieds?|клиента?|会員|顧客|客户|会员|고객|회원|"
    "guest|loyalty|policy|contract|order|invoice|receipt|basket|transaction|trans|record|row|"
    "serial|sl|sr|s|case|loan|phone|telephone|mobile|fax|passport|tax|store|shop|product|item|"
    "article|sku|stock|ref|reference|document|booking|ticket|session|unique|entry|line"
)
WHICH = "id|ids|uid|uuid|guid|no|nr|num|number|nbr|key|code|ref|identifier|nummer|n[uú]mero|"
WHICH += "numer|番号|编号|번호|номер"
ALONE = (
    "customer|cust|client|consumer|user|member|account|acct|household|person|subscriber|borrower|"
    "applicant|patient|employee|index|number|no|nr|key|serial|record|row|rownames?|"
    "unnamed 0|reference|ref|invoice|"
    "iban|bic|ssn|ean|sku|isbn|konto|compte|cuenta"
)
ID_NAMES = re.compile(
    rf"(.+ )?(id|[hp]id|uuid|guid|identifier|code|nr|(?!filia)\w*nummer)|(id|code)( .+)?|"
    r"(codice|c[oó]digo|n|n[uú]mero|num[eé]ro|numer|kod|номер) (d[eo]l? |d )?"
    r"(cliente?|soci[oa]|abonado|afiliado|miembro|associado|membre|adh[eé]rent|abonn[eé]|"
    r"klienta|karty|клиента)|"
    rf"(.+ )?({WHO}) ?({WHICH})|{ALONE}"
)
CODE_NAMES = re.compile(
    r"(.+ )?(zip|zip ?code|post ?code|postal|postal code|plz|phone number)"
    r"|郵便番号|邮编|邮政编码|우편번호|cep|postnummer|postnr|kod pocztowy|cap|npa|cp"
    r"|τ ?κ|ταχυδρομικός κώδικας|מיקוד|postinumero|psč|irányítószám|(почтовый )?индекс|zip ?4"
    r"|cod poștal|kode pos|poštanski broj|الرمز البريدي|eircode|.+ (kodu|코드)|\w{4,}(kod|nr|코드)"
    r"|posta kodu|(post)?leitzahl|pin ?code|artikel(nr|nummer)|.*(店舗|会員|商品)番号"
)
MEASURES = re.compile(r"(total|avg|average|mean|max|min|sum|count|num|no|nr|number)( of)? .+")
DATED = r"(?<!to )(\w*(?<!up)(?<!candi)(?<!man)date(dw)?|\w*datum|fecha)"
DATE_NAMES = re.compile(
    rf"(.+ )?({DATED}|dt|day|joined|since|birthday|birthdate|dob|timestamp|time|opened|"
    r"registered|enrolled|created|updated|became .+ on)( .+)?"
)
MOMENTS = re.compile(
    r"(.+ )?(last|first|login|seen|active|activity|visit|purchase|order|sign ?up|ts|epoch|unix|at)"
    r"( .+)?"
)
MINOR = re.compile(
    r"(?:^|(?: in)? )(?<!per )(cents?|pence|pfennige?|rappen|centimes?|centavos?|c[eé]ntimos?"
    r"|pais[ae]|kope[ck]+s?|øre|öre|minor units?|(?<=amount )minor)\b"
)

FIRST_NAME = re.compile(
    r"((customer|client|contact|guest|member|billing) )?(first|given|fore) ?name|vorname|pr[ée]nom"
    r"|nombres?|nome|imi[ęe]|voornaam|имя"
)
LAST_NAME = re.compile(
    r"((customer|client|contact|guest|member|billing) )?(last|sur|family) ?name|(nach|familien)name"
    r"|nom( de famille)?|apellidos?|cognome|sobrenome|nazwisko|achternaam|фамилия"
)
LONGEST_NAME = 60  # characters; the rest of a longer one becomes a few digits


def normalise(name: str) -> str:
    """Fold a column name so that case, spaces and punctuation do not matter."""
    return re.sub(r"[\W_]+", "", str(name)).casefold()


def split_name(name: str) -> str:
    """Return a column's name as lower-case words: CustomerID and cust_id give "... id"."""
    name = re.sub(r"^ID(?=[a-z]{2})", "ID ", name)
    name = re.sub(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.sub(r"[\W_ºª]+", " ", name).split()).lower()


def simplify_name(name: str) -> str:
    """Return a name as lower-case ASCII words joined by underscores: "Annual Income (k$)"."""
    simple = slug(split_name(name), separator="_", longest=None, default="")
    if len(simple) > LONGEST_NAME:
        simple = f"{simple[:LONGEST_NAME]}_{text_digest(name)[:6]}"
    return f"c_{simple}" if simple[:1].isdigit() else simple


def is_identifier_name(name: str) -> bool:
    """Whether a name says that a column holds identifiers or codes."""
    words = split_name(name)
    if MEASURES.fullmatch(words):
        return False
    return bool(ID_NAMES.fullmatch(words) or CODE_NAMES.fullmatch(words))


def full_name(names: Iterable[str]) -> str:
    """Return the column of first names and that of last names, joined by a plus, or nothing."""
    words = {name: split_name(name) for name in map(str, names)}
    first, last = (
        next((name for name, said in words.items() if pattern.fullmatch(said)), "")
        for pattern in (FIRST_NAME, LAST_NAME)
    )
    return f"{first} {MARK} {last}" if first and last else ""


def is_date_name(name: str) -> bool:
    """Whether a name says that a column holds dates."""
    return bool(DATE_NAMES.fullmatch(split_name(name)))


def is_called_a_date(name: str) -> bool:
    """Whether a name has the very word for a date."""
    return bool(re.search(rf"\b{DATED}\b", split_name(name)))


def minor_unit(name: str) -> str:
    """Return the hundredths in which a name says that amounts are: cents, pence, minor units."""
    found = MINOR.search(split_name(name))
    return re.sub("^cent$", "cents", found[1]) if found else ""

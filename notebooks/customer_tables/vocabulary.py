"""The words in columns' names that the guesses go by: English, some German and French."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

# What columns say of customers, and known kinds of customers by it.
LIBRARY = tomllib.loads(Path(__file__).with_name("archetypes.toml").read_text(encoding="utf-8"))
ROLES: dict[str, dict[str, Any]] = LIBRARY["roles"]
OF_CUSTOMERS = frozenset({"customer", "segment", "describe", "ignore", *ROLES})  # for --role
ABBREVIATIONS = dict(
    pair.split(":")
    for pair in (
        "amnt:amount,amt:amount,avg:average,bal:balance,chng:change,ct:count,cnt:count,dt:date,"
        "delinq:delinquencies,eve:evening,freq:frequency,inc:income,inq:inquiries,int:interest,"
        "intl:international,"
        "mnt:amount of,mon:months,n:number,no:number,nr:number,num:number,pct:percent,prc:percent,"
        "prods:products,qty:quantity,revol:revolving,trans:transactions,trx:transactions,"
        "util:utilization,vmail:voicemail,clv:CLV,cltv:CLTV,ltv:LTV,arpu:ARPU,mrr:MRR,gmv:GMV,"
        "aov:AOV,nps:NPS,sms:SMS,atm:ATM,vip:VIP,usd:USD,eur:EUR,gbp:GBP,"
        "kidhome:children at home,teenhome:teenagers at home"
    ).split(",")
)
NONE_OF = re.compile(r"no (shows?|claims?|promos?|discounts?|answers?|response)\b", re.IGNORECASE)
JOINED_ON = re.compile(r"^(avg|num(?!ber|er))(?=[a-z]{3})", re.IGNORECASE)  # "avggift"
SENSITIVE = frozenset(
    "edu educ educyr educdec edlevel schooling asian hispanic latino caucasian muslim jewish "
    "age gender genre sex marital marriage married education educational birth birthday birthyear "
    "dob race ethnicity ethnic religion nationality citizenship disability language pregnant "
    "alter geschlecht familienstand bildung geburtsjahr geburtsdatum sexe âge naissance edad "
    "sexo idade età sesso leeftijd geslacht wiek płeć yaş cinsiyet возраст пол 年齢 性別 年龄 性别 "
    "나이 성별 ålder alder ikä věk vek életkor vârsta varsta ηλικία גיל tuổi umur العمر starost "
    "kön kjønn køn sukupuoli pohlaví pohlavie nem φύλο מין".split()
)
HOUSEHOLD = frozenset(  # whom a customer lives with, and where
    "hhsize famsize nkids "
    "household family kids kidhome teenhome children child teen dependents dependent dependants "
    "housing home house homeowner senior partner kinder enfants".split()
)
DESCRIPTIVE = HOUSEHOLD | frozenset(
    "country geography region city state county province area location district occupation job "
    "profession employment employer residence settlement beruf land stadt "
    "ort bundesland region département departement ville "
    "pays profession".split()
)
SHOPS = frozenset(
    "store branch filiale filialnummer filialnr filiaal filiaalnummer magasin boutique "
    "negozio sucursal agencia agence agenzia oddział oddziału şube vestiging standort "
    "niederlassung territory depot ward route tariff sic nace mcc drg icd rep broker kontor "
    "avdeling avdelning pobočka provozovna myymälä филиал κατάστημα סניף 门店 kommun län "
    "kasse caisse cassa provnum tract fips naics dma lsoa insee csp provincia branche tarif "
    "kostenstelle vertreter wave cohort batch cluster via "
    "geschäftsstelle succursale punto tienda loja winkel sklep магазин 店舗 店铺 매장".split()
)
PLACES = SHOPS | frozenset(
    "zone zona region región regione regio regiao região bezirk gebiet département departement "
    "state city country".split()
)
INCOME = frozenset("income inc salary wage wages einkommen gehalt salaire".split())
NOMINAL = SHOPS | frozenset(
    "channel region type class segment cluster group category status area branch store level grade "
    "code response plan tier brand model make department zone gender sex marital marriage "
    "education geography country state city occupation département departement "
    "browser os device agent method system systems platform source treatment trt arm arms".split()
)
HEADS = frozenset(
    "channel browser os agent method systems rep center centre dealer provider till caja".split()
)  # last words of codes' names
# Of these, 0 and 1 are codes of groups and answer no question.
CODED = frozenset(
    "sex gender genre sexe geschlecht marital marriage familienstand education educational bildung "
    "race ethnicity religion region type class segment group category channel tier plan area zone "
    "branch store department city state country "
    "bildungsgrad schulabschluss etudes études kundengruppe "
    "sesso sexo geslacht płeć cinsiyet пол 性別 性别 성별 zona región regione regio região bezirk "
    "gebiet gruppe grupo gruppo groupe klasse clase classe tipo typ art canal canale kanal".split()
)
NOMINAL |= CODED
ON_THE_MAP = re.compile(
    r"(.+ )?(lat|lats|latitude?|latitudine|lng|lon|long|longitude?|longitudine|"
    r"(geo)?(breite|l(ä|ae?)nge)(n?grad)?|easting|northing)"
    r"|(geo|gps|map|utm) ?[xy]|[xy] ?(utm|coord|coordinates?|lambert|gk)( ?\d+)?|geo(hash)?"
    r"|rechtswert|hochwert"
)
YEARS = frozenset("year birth birthyear yob jahr geburtsjahr année annee".split())
CALENDAR = re.compile(
    r"(.+ )?(day|month|week|quarter|hour)( ?of ?(the )?(day|week|month|year|.*purchase))"
    r"|(.+ )?week ?(number|num|no|nr)|day|month|week|weekday|dow|quarter|year"
    r"|(enrol\w*|sign ?up|join\w*|start|renewal|cancel\w*|expir\w*|arrival|booking"
    r"|departure|order|purchase) month"
    r"|month (enrolled|joined|started|renewed|cancelled|expired)"
)
OUTCOMES = frozenset(
    "churn churned exited attrition default defaulted target label response complain fraud "
    "converted subscribed cancelled left".split()
)
# What is known of customers afterwards, for certain where it is answered by yes or no.
KNOWN_LATER = re.compile(
    r"((has|is|customer|client) )*(churn|churned|attrition|attrited|exited|defaulted)"
    r"( (value|label|flag|status|indicator))?"
    r"|(default|arrears)( payment)? next month|responded|response|converted|subscribed"
)
PERSONAL = re.compile(
    r"(.+ )?(first|last|sur|fore|given|family|full|user|middle|maiden|customer|client|holder|person"
    r"|contact) ?names?|name|surname|(.+ )?(e ?mail|mail)( address)?"
    r"|(.+ )?(phone|telephone|mobile|fax)( number| no| nr)?"
    r"|(.+ )?(street|address|ip|ssn|iban|passport"
    r"|social security( number)?|card number|licen[cs]e plate)( \d)?"
    r"|(.+ )?url|twitter|facebook|linkedin"
    r"|(vor|nach|familien)name|kundenname|(haus)?anschrift|stra(ss|ß)e|adresse|telefon(nummer)?"
    r"|handy"
    r"|nom( de famille)?|prénom|prenom|courriel|téléphone"
    r"|nombre|apellidos?|dirección|direccion|correo( electrónico)?|teléfono|telefono"
)
MODEL_OUTPUT = re.compile(
    r".*(naive bayes|classifier|predicted|prediction|probability|propensity|\bproba\b).*"
    r"|y (pred|prob|hat)( .*)?"
)
MONEY = frozenset(
    "amount amt balance income salary spend spent spending purchases payment payments price cost "
    "costs revenue sales limit debt mortgage monetary charges charge fee fees deposit deposits "
    "savings turnover mnt expenses expenditure budget wage wages advance gmv clv cltv ltv "
    "bal bill bills bakery clothing electronics premium cashback einkommen gehalt umsatz betrag "
    "ausgaben montant salaire dépenses depenses".split()
)
# Words beside which an amount is none of money: how long, how much more, how often.
NO_MONEY = frozenset(
    "hour hours minute minutes second seconds time chng change hike growth previous".split()
)
TIMES = re.compile(
    r"(number of )?(days?|weeks?|months?|years?) .+|recency|tenure"
    r"|.+ (days|weeks|months) (ago|since)"
    r"|payment (?!.*\b(last|past|in|per)\b).*(days|weeks|months|instal?lments)"
)
GOODS = frozenset(
    "fresh milk grocery frozen meat fish wine wines fruit fruits sweet sweets detergents "
    "delicassen delicatessen".split()
)
MONEY |= GOODS
SPENDING = frozenset("mnt amount amt charge spend spent spending sales revenue expenditure".split())
NUMBER_OF = frozenset("num number count cnt ct qty quantity".split())
# Of columns of yes and no: what customers have or use, unless another word says what of it.
PRODUCTS = frozenset(
    "account card mortgage loan savings deposit fund investment securities pension insurance cover "
    "coverage policy overdraft brokerage leasing phone landline line lines internet broadband dsl "
    "fiber fibre tv television cable streaming music movies backup security protection support "
    "cloud hotspot roaming voicemail wifi subscription warranty maintenance electricity gas solar "
    "sauna pool spa training package router product service division department".split()
)
NO_PRODUCT = frozenset(
    "consent opt verified default defaulted late overdue applied application interest interested "
    "offer offered contact contacted campaign response accepted declined cancelled closed lost "
    "churn complaint issue problem claim claims paid payment pay pays number email sms app blocked "
    "frozen fraud expired active alert alerts statement paperless owner user request requested "
    "visit visits call calls sale sales last first new used joint shared quality".split()
)
# Of labels before sums of other rows, in lower case; and of those before means.
TOTAL = (
    r"(?:grand|sub|over)?[ -]?(?:totals?|totale|totaal)(?: g[eé]n[eé]ral)?|total general|sums?|"
    r"(?:gesamt|zwischen)?summe|gesamt(?:ergebnis)?|somme|suma(?: końcowa)?|итого|всего|合計|小計|"
    r"合计|小计|总计|総計|총합계|общий итог|totale complessivo|total geral|eindtotaal|"
    r"genel toplam|∑|Σ"
)
MEAN = (
    r"averages?|avg|means?|durchschnitt|mittelwert|moyenne|media|promedio|gemiddelde|среднее|"
    r"平均|ø"
)
PERCENT = "percent(age|uale)?|pct|prozent|pourcent(age)?|porcent(aje)?"
COUNT = frozenset(
    "num number count cnt qty quantity visits orders trx transactions trans kids kidhome teenhome "
    "children dependents items products calls clicks tickets complaints contacts ct logins "
    "sessions freq times cards".split()
)
SCORES = frozenset("score rating rank index satisfaction points".split())
SHARES = frozenset(
    "ratio rate share frequency percent pct prc percentage utilization utilisation "
    "proportion".split()
)
VALUES = (
    r"(.* )?(clv|cltv|ltv|lifetime value)",
    r"(.* )?(monetary|revenue|turnover|gmv|umsatz|chiffre d affaires)( .*)?|arr|acv|tcv"
    r"|(customer )?value|(montant|gasto|importe|valor) total|(totale )?omzet|spesa totale|fatturato"
    r"|(总|累计)?(消费|购买)(总?金额|总?额)|总消费|销售额"
    r"|売上(高|金額)?|購入(金額|総額)|(총 ?)?구매 ?금액",
    r"(mnt|amount|spend|spent|spending|sales) total|total (mnt|spend|spent|spending|sales)",
    r"(total|sum) ?(of )?.*(spend|spent|spending|purchases?|sales|charges|amount|amt|expenditure)",
    r"(annual|yearly|monthly).*(spend|spent|spending|purchases?|sales|charges|amount|amt"
    r"|expenditure)|(annual|yearly) (bill|fees?)"
    r"|bills? (amount|((in|over) )?(the )?(last|past) .*|\d.*)",
    r"purchases|sales|spend|spent|spending|expenditures?|amount( spent)?|charges|payments?"
    r"|(orders? |invoices? |baskets? )?totals?",
    r"(.* )?premiums?( .*)?",
)
# Whole numbers of these are how many or how much, as their values say.
GIFTS = (
    r"((total|past|previous|annual|yearly|lifetime) )*"
    r"(gifts?|donations?|contributions?|pledges?|purchases)"
    r"( (given|made|total|\d.*|((in|over) )?(the )?(last|past) .*|per .*))*"
)
PARTIAL_VALUES = (  # all spending: "spa spend" is only a part of what somebody is worth
    r"((total|net|gross|overall|lifetime|customer|client|average|amount|last|past|cumulative|iap"
    r"|\d+ ?m(onths?)?) )*(purchases?|sales|spend|spent|spending|purchase amount|expenditures?)"
    r"( (amounts?|totals?|values?|(this )?(year|month)|usd|eur|gbp|ytd|to date|\d.*"
    r"|((in|over) )?(the )?(last|past) .*|per .*))*",
    rf"{GIFTS}( (amount|value))*|(total |amount |sum )(donated|given|pledged)( .*)?"
    r"|(total|lifetime|annual|yearly) giving",
)
LENDING = re.compile(r"\b(loans?|credits|debts?|borrow\w*|instal\w*|interest rate|duration)\b")
CUSTOMER_WORDS = re.compile(
    r"\b(customer|cust|client|user|member|household|hh?id\b|account|holder|person|patient|subject"
    r"|respondent)"
)
# What these tell apart are no customers.
NO_CUSTOMER = re.compile(
    r"\b(zip|post|postal|postcode|plz|store|shop|branch|product|item|sku|article|stock|phone|fax"
    r"|tele[fp]hon|telefon|mobile|fax|haus|huis|郵便|邮编|邮政|우편|cep\b|kod pocztowy"
    r"|cap\b|npa\b|cp\b|posta\b|leitzahl|postleitzahl|artikel|filial|sucursal|agence|oddzia|şube"
    r"|vestiging|店舗|商品|postinumero|psč|irányítószám|индекс|τ ?κ\b|מיקוד|eircode)"
)
RECORD_WORDS = re.compile(
    r"\b(row|rownames?|record|sl|s|sr|serial|sequence|seq|index|line|no|nr|trans)\b"
)
MEASURES = frozenset(
    "total sum average mean median max min maximum minimum last first per day days week weeks "
    "month months year years hour hours minute minutes second seconds since ago length size "
    "height weight distance km miles percent level".split()
)
MEANT = MEASURES | COUNT | MONEY | SPENDING | SHARES | SCORES | NO_MONEY | SENSITIVE | HOUSEHOLD
NAMED = re.compile(
    r"q(uestion)? ?\d+|"
    + "|".join(
        f"(?:{role[how]})"
        for name, role in ROLES.items()
        for how in ("certain", "likely")
        if how in role and name not in ("part", "use", "flag")
    )
)

"""What columns are called, in several languages: a pattern and a weight for each meaning."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def plain(name: str) -> str:
    """Return a name in small letters without accents, its words parted by ``_``."""
    bare = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    bare = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "_", _HUMPS.sub("_", bare).lower()).strip("_")


_WHO = (
    "customer|cust|client|user|member|buyer|shopper|account|consumer|household|contact|visitor"
    "|subscriber|patron|guest|player|donor|kunden?|kaeufer|besteller|klant|cliente|kund|klient"
    "|acheteur|asiakas|utente|usuario"
)
_ID = "id|no|nr|num|number|key|code|ref|reference|nummer|numero|kennung|guid|uuid"
_ORDER = "order|transaction|invoice|receipt|basket|bill|purchase|bestell(ung)?|auftrags?|rechnungs?"
_ORDER += (
    "|beleg|bon|commande|facture|pedido|factura|ordine|fattura|scontrino|factuur|bestelling|trans"
)
_DAY = "date|day|time|at|timestamp|datetime|datum|zeit|tag|zeitpunkt|fecha|data|dia|jour|ts|dt"

_BOUGHT = (
    "sales?|kauf|einkaufs|achat|compra|venta|vente|payment|paid|created|ordered|processed|purchased"
    "|completed|aankoop|vendita|acquisto"
)
_WHAT = (
    "(line|item|net|gross|sales?|total|dollar|purchase|transaction|trans|txn|payment|euro|extended"
    "|order|invoice)"
)
_HOW = "price|amount|value|paid|ttc|sales?|usd|eur|gbp|net|gross|total"

NAMES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "customer_id": (
        (rf"({_WHO})s?_?({_ID})|({_ID})_?({_WHO})", 10),
        (rf"({_WHO})s?_hash|hashed_({_WHO})(_id)?|uid|household_key|loyalty_(card|id).*|msno", 9),
        (rf"(({_WHO}|billing|buyer|shipping)_)?e_?mail(_address|_adresse|_billing)?", 8),
        (rf"({_WHO})s?|who|kundennummer|kundennr|kundenid|klantnummer|kundnummer", 8),
        (rf".*_({_WHO})_({_ID})|({_WHO})_({_ID})_.*", 6),
        (rf"({_WHO})_name|name_({_WHO})|phone(_number)?", 3),
    ),
    "timestamp": (
        (rf"({_ORDER}|{_BOUGHT})_?({_DAY})(_utc|_gmt|_local)?", 10),
        (rf"({_DAY})_(de_)?({_ORDER}|{_BOUGHT})", 10),
        (r"date|day|datum|timestamp|datetime|fecha|data|date_?time", 9),
        (r"event_(time|timestamp|date)|created|when|ordered|purchased|t_dat|belegdatum", 9),
        (r"(bestell|rechnungs|kauf|buchungs|order|bestel|auftrags)datum|(invoice|order)date", 9),
        (rf".*_({_DAY})|({_DAY})_.*|time|zeit|dt|ts", 4),
    ),
    "amount": (
        (rf"({_WHAT}_?)?(amount|amt|revenue|value|turnover|spend)(_({_HOW}))?", 10),
        (rf"((line|item|sales?|grand|order|invoice|sub)_?)?totals?(_({_HOW}))?", 9),
        (r"betrag|umsatz|summe|(gesamt|brutto|netto)(betrag|summe|preis|umsatz)?", 10),
        (r"(rechnungsbetrag|bestellwert|warenwert|montant|importe|valor)(_(total|ttc|ht))?", 10),
        (r"chiffre_d_?affaires|ca|importo|monto|ventas?|ventes?|bedrag|omzet|kwota|belopp", 10),
        (r"summa|prix_total|precio_total|totale|fatturato|price_total", 10),
        (r"sales?|paid|spent|sum|charged?|gmv|receipts|money|(net|gross)_sales|payment", 7),
    ),
    "price": (
        (r"((unit|item|product|sale|list|lineitem)_?)?price(_(each|per_unit|unit|eur|usd))?", 10),
        (r"(einzel|stueck|stuck|verkaufs)?preis|(eenheids|stuks)?prijs", 10),
        (r"(prix|precio|prezzo|preco)(_(unitaire|unitario))?", 10),
    ),
    "quantity": (
        (r"((order|item|line_?item)_?)?(quantity|qty|quantities)(_(ordered|sold|purchased))?", 10),
        (r"units?(_sold)?|pieces|pcs|item_?count|number_of_\w+|num_items", 8),
        (r"menge|anzahl|stuck(zahl)?|stueck(zahl)?|quantite|qte|cantidad|quantita|aantal", 8),
    ),
    "transaction_id": (
        (rf"({_ORDER})s?_?({_ID}|name)|({_ID})_?(de_)?({_ORDER})", 10),
        (r"(rechnungs|bestell|auftrags|beleg|order)(nummer|nr)|(bestel|factuur)nummer", 10),
        (rf"invoiceno|orderid|bon_?nr|({_ORDER})", 8),
    ),
    "refunded": (
        (r"((amount|total|order)_)?(refund(ed)?|returned)(_?(amount|total|value))?", 10),
        (r"erstattet|erstattung(sbetrag)?|(montant_)?rembourse|(importe_)?reembols(o|ado)", 10),
    ),
    "refunded_at": (
        (r"(refund(ed)?|return(ed)?)_(at|date|on|time)|date_refund(ed)?|erstattungsdatum", 10),
    ),
    "country": (
        (r"((billing|shipping|ship_to|customer|order)_)?(country(_code)?|land|pays|pais)", 10),
    ),
    "channel": ((r"((sales|marketing|order|acquisition)_)?channel|(vertriebs)?kanal|canale?", 10),),
    "product_category": (
        (r"((product|item)_)?category(_name)?|warengruppe|[ck]ategorie|categoria|department", 10),
    ),
    "product_code": (
        (r"stock_?code|sku|(product|item)_(id|code)|artikel(nummer|nr)|asin|ean", 10),
    ),
    "tax": ((r"((order|total|sales)_)?(tax(es)?|vat|mwst|ust|tva|iva|btw)(_(total|amount))?", 10),),
    "shipping": (
        (r"((order|total)_)?(shipping|freight|delivery)(_(cost|total|amount|price|fee))?", 10),
        (r"versand(kosten)?|postage|porto|shipping_and_handling|frais_de_port", 10),
    ),
    "discount": (
        (r"((order|total|cart)_)?(discounts?|rabatt|remise|descuento)(_(total|amount))?", 10),
    ),
    "tip": ((r"tips?(_amount)?|gratuity|trinkgeld|pourboire", 10),),
}
"""Key of a configuration -> patterns of names and what each weighs; the first that fits counts."""

NEVER: Mapping[str, str] = {
    "customer_id": r"group|segment|type|class|since|gender|note|message|zip|post",
    "timestamp": r"birth|geburt|updat|modif|ship|deliver|liefer|cancel|storno|refund|return|due"
    r"|fulfil|expir|payout|signup|regist|deposit|faellig",
    "amount": r"tax|vat|mwst|ship|freight|discount|rabatt|remise|refund|return|cost|fee|tip|weigh"
    r"|rate|percent|share|balance|margin|points|profit|compare|unit|before|_id$",
    "price": r"compare|cost|tax|old|before",
    "country": r"phone",
}
"""Words in a name that rule a meaning out."""


def weight(key: str, words: str) -> int:
    """Return how well a name (:func:`plain`) goes with a key's meaning; 0: not at all."""
    never = NEVER.get(key)
    if never is not None and re.search(never, words):
        return 0
    return next((worth for text, worth in NAMES[key] if re.fullmatch(text, words)), 0)

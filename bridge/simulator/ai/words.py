"""Words and what they stand for: enough of a help desk's vocabulary for a stand-in that only compares words."""

from __future__ import annotations

import re
import unicodedata

# Turns of phrase, replaced by one word before the text is split. Spanish, French and German samples included.
PHRASES: tuple[tuple[str, str], ...] = (
    (r"wi[\s-]?fi|wlan|wireless( lan| network)?|red inalambrica|sans fil", " wifi "),
    (r"e-mails?|correos? electronicos?|courriels?", " mail "),
    (r"(log|sign)(ging|ning)?[\s-]?(in|on|into)\b", " login "),
    (r"locked (me )?out|lock(ed)? account|konto gesperrt|cuenta bloqueada|compte bloque", " locked account "),
    (r"mot de passe", " password "),
    (r"multi[\s-]?factor|two[\s-]?factor|2fa|authenticator( app)?", " mfa "),
    (r"(will|does|do|did)( not|n'?t)|won'?t|cannot|can'?t|can not|could( not|n'?t)|unable to|no longer", " not "),
    (r"not (start|boot|turn on|power on|switch on)( up)?|(is |completely )dead", " nostart "),
    (r"startet nicht|no enciende|ne demarre (pas|plus)", " nostart "),
    (r"not (connect|establish|reach)|geht nicht|verbindet nicht|no conecta", " noconnect "),
    (r"no (signal|connection)", " noconnect signal "),
    (r"blue ?screen( of death)?|bsod", " bluescreen crash "),
    (r"(paper )?jam(med|s)?\b|papierstau|atasco( de papel)?|bourrage( papier)?", " paper jam "),
    (r"shared (drive|folder)s?|network drives?|mapped drives?|[a-z]: drive", " mapped drive folder "),
    (r"shared mail ?box(es)?", " sharedmailbox "),
    (r"mail ?box(es)?( is| are)?( almost| nearly)? full|postfach (ist )?voll|"
     r"(quota|limit) (is )?(reached|exceeded)",
     " mailboxfull "),
    (r"mail ?box(es)?|postfach|buzon", " mailbox "),
    (r"disk (is |space |almost )*(full|low)|(low|no|out of) (on )?(disk |free )?space|disk space", " diskspace "),
    (r"distribution (list|group)s?|mailing lists?", " distributionlist "),
    (r"docking[\s-]?stations?|\bdocks?\b|usb-c hub", " dock "),
    (r"remote desktop|\brdp\b", " remotedesktop "),
    (r"virtual desktop|\bvdi\b|\bavd\b|citrix", " virtualdesktop "),
    (r"new (starter|hire|employee|colleague|joiner|user)s?|"
     r"starts? on (monday|the)|neuer mitarbeiter", " newuser "),
    (r"(leaver|leaves|leaving|last day|offboard\w*)( the company)?", " leaver offboarding "),
    (r"office (move|365)", " office "),
    (r"microsoft 365|\bm365\b|\bo365\b", " microsoft365 "),
    (r"line[\s-]of[\s-]business", " lob "),
    (r"scan(s|ner|ning)?[\s-]to[\s-](e-?)?mail", " scan mail "),
    (r"internet (is |connection )*(down|out|outage)|no internet", " internet outage "),
    (r"web ?sites?|home ?page", " website "),
    (r"(lost|stolen|left|missing) (my |the |his |her )?(work |company )?(phone|laptop|tablet|device|iphone)",
     " lostdevice "),
    (r"suspicious (sign|log)[\s-]?(in|on)s?|suspicious login|unusual sign|impossible travel|unknown location",
     " suspiciouslogin "),
    (r"suspicious (e-?mail|mail|message|link)|fake (e-?mail|mail|invoice|login|page)", " phishing "),
)  # fmt: skip
_PHRASES = tuple((re.compile(pattern), word) for pattern, word in PHRASES)

# One line per concept: the concept, then the words that stand for it.
GROUPS = """
laptop: notebook macbook thinkpad portatil ordinateur laptops
desktop: pc workstation tower computer rechner
monitor: display screen bildschirm pantalla ecran picture flicker
keyboard: tastatur teclado clavier mouse maus
battery: akku bateria batterie charge charger charging
print: printer printing prints drucker drucken impresora imprimante imprimer plotter
toner: cartridge ink
network: lan networking netzwerk
internet: broadband isp
outage: offline down unavailable ausfall
slow: sluggish slowly langsam lento lent performance lag lagging crawling hangs
mail: email mails inbox mailing correo message
outlook: owa
calendar: kalender invitation
bounce: ndr undeliverable bounced undelivered
deliver: delivery delivered received
phish: phishing scam spoofed phisher
malware: virus trojan antivirus infected ransomware encrypted threat malicious
spam: junk
password: passwort contrasena kennwort passcode
locked: lockout gesperrt bloqueada
login: logon signin anmelden anmeldung inicio connexion
permission: permissions rights berechtigung berechtigungen permisos droits
access: zugriff acceso acces denied
account: konto cuenta compte
mfa: otp
phone: telephone handset telefon telefono iphone android smartphone
mobile: tablet ipad iphone android smartphone
voicemail: mailboxgreeting anrufbeantworter
call: calls audio caller anruf
restore: recover recovery deleted wiederherstellen restaurar recuperar
backup: backups sicherung copia sauvegarde
server: servers host
patch: patching patches updates update
disk: storage drive
diskspace: diskspace
certificate: certificates ssl tls zertifikat certificado
dns: nameserver
domain: domains
website: webpage
database: sql query
licence: license licences licenses licensing lizenz licencia
install: installation installed installing setup software
excel: spreadsheet xlsx
word: docx
crash: crashes crashed crashing freezes frozen
error: errors fehler fehlermeldung
teams: msteams
meeting: conference
sharepoint: sharepoint
onedrive: onedrive
sync: synchronise synchronize syncing
invoice: rechnung factura facture bill
billing: billed charged
quote: quotation offer angebot
order: purchase procurement bestellung
newuser: onboarding newstarter starter newuser
leaver: leaver leaves
vpn: anyconnect wireguard openvpn globalprotect tunnel
firewall: fortigate blocked
switch: switches ethernet
cable: cabling cables kabel
browser: chrome edge firefox safari
projector: beamer
headset: headphones
webcam: camera
drop: drops dropping disconnect disconnects disconnecting
migrate: migration migrating
move: moving umzug relocation
document: documents documentation
train: training workshop course
clicked: click clicked
"""

# What a word suggests without saying it: half a match for these.
SUGGESTS = """
laptop: hardware
desktop: hardware
monitor: hardware
keyboard: hardware peripheral peripherals
battery: hardware laptop
dock: hardware
nostart: hardware
headset: hardware peripheral peripherals
wifi: network
vpn: network remote
internet: network
firewall: network
switch: network
dns: network website
noconnect: connection
outlook: mail
calendar: outlook mail
mailbox: mail
mailboxfull: mail
sharedmailbox: mail
distributionlist: mail
bounce: mail deliver
phish: security reported
malware: security
suspiciouslogin: security
lostdevice: security mobile
spam: mail filter
toner: print
jam: print
scan: print
password: account access reset
locked: account access
mfa: account access
permission: account access
voicemail: phone
call: phone
restore: backup
diskspace: server
patch: server
excel: office software
word: office software
bluescreen: operating software
crash: software
licence: software
install: software
browser: software
sharepoint: cloud collaboration
onedrive: cloud collaboration
azure: cloud
microsoft365: cloud
teams: collaboration software
meeting: collaboration
newuser: onboarding user
leaver: offboarding
invoice: billing question
quote: procurement billing
order: procurement
certificate: website security
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP = _words(
    """
    a an the and or of to in on at for with from by is are was were be been it its this that these
    those my our your his her their we you they i he she me us them have has had do does did not no
    yes as but if so can could would should will since when while after before there here just only
    also very any some all one two please help hello hi hey dear thanks thank regards best kind team
    support ticket issue problem since today yesterday morning now again get gets got getting say
    says said try tried trying use using used work works working need needs want see know der die
    das ein eine einen und oder ich wir mein meine nicht mit auf im in ist sind seit bitte hallo
    guten tag el la los las un una y o mi no con en es por favor hola le les des une et je nous mon
    ma ne pas avec sur est
    """
)
WEAK = _words(
    """
    order new request question error slow access other general client user change add remove create
    reported site connection software hardware outage offline service monitoring alert account
    device renewal name open reset internal meeting clicked data failed remote phone
    """
)
"""Words too common to decide alone."""

_SUFFIXES = ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s")


def plain(text: str) -> str:
    """Return the text in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)] + ("y" if suffix == "ies" else "")
    return word


def _read(groups: str) -> dict[str, tuple[str, ...]]:
    pairs = (line.split(":") for line in groups.strip().splitlines())
    return {head.strip(): tuple(rest.split()) for head, rest in pairs}


_CONCEPT = {stem(word): stem(head) for head, words in _read(GROUPS).items() for word in (head, *words)}
_SUGGESTS = {stem(head): tuple(stem(word) for word in words) for head, words in _read(SUGGESTS).items()}
_WEAK = frozenset(_CONCEPT.get(stem(word), stem(word)) for word in WEAK)


def concepts(text: str) -> dict[str, str]:
    """Return what the text is about: concept -> the word that was written."""
    flat = plain(text)
    for pattern, word in _PHRASES:
        flat = pattern.sub(word, flat)
    found: dict[str, str] = {}
    for word in re.findall(r"[a-z0-9]+", flat):
        if word in STOP or (len(word) < 2 and not word.isdigit()):
            continue
        root = stem(word)
        found.setdefault(_CONCEPT.get(root, root), word)
    return found


def suggested(concept: str) -> tuple[str, ...]:
    """Return the concepts that this one makes likely."""
    return tuple(_CONCEPT.get(word, word) for word in _SUGGESTS.get(concept, ()))


def is_weak(concept: str) -> bool:
    """Tell whether the concept is too common to decide alone."""
    return concept in _WEAK

#!/usr/bin/env python3
"""Check exports with other people's code: PyPI's `vcon`, a JSON Schema, `cryptography` and Authlib for signatures, PyLD for JSON-LD.

    exports.py [--schema SCHEMA.json]... [--certificate CERTIFICATE.pem] FILE...

A FILE is a vCon, unsigned or signed (JWS), or a JSON-LD document of consent records (ISO/IEC TS 27560); which one is told by its
content. Nothing of the gateway is used here, and nothing is fetched. With --certificate, a signature has to be by that certificate.

For each file one line of JSON is printed: its name, its form, and for a vCon whether `vcon` would permit recording to each party
(by index) and to all together. Exit status: 0 when all are valid, 1 when one is not (with the reasons on standard error), 2 when
called wrongly.

It needs `vcon` 0.10.0, which asks for Python 3.12 and works with 3.11 where pip is told to ignore that; tests/run does.
"""

import base64
import hashlib
import json
import logging
import re
import sys
import uuid
import warnings

from authlib.deprecate import AuthlibDeprecationWarning

# `vcon` uses a part of Authlib that is to move elsewhere.
warnings.simplefilter("ignore", AuthlibDeprecationWarning)
# `vcon` imports a package of this name for its messages alone; the one in the registry takes over the program's logging.
sys.modules.setdefault("logger", logging.getLogger("vcon"))
logging.disable(logging.CRITICAL)

import jsonschema  # noqa: E402
from authlib.jose import JsonWebSignature  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: E402
from pyld import jsonld  # noqa: E402
from vcon import Vcon  # noqa: E402

DPV, DCT = "https://w3id.org/dpv#", "http://purl.org/dc/terms/"
SCHEMA_ORG, RDF = "https://schema.org/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
PROFILE = "https://w3id.org/dpv/schema/dpv-27560#record"

# What the exports use of the vocabulary (version 2), so that a slip of the pen is noticed.
DPV_TERMS = set(
    "ConsentControl ConsentGiven ConsentNotice ConsentRecord ConsentRefused ConsentRequested ConsentUnknown ConsentWithdrawn "
    "DataController DataSubject DataSubjectRight DisputeManagement ExplicitlyExpressedConsent ExpressedConsent "
    "Consent Contract FraudPreventionAndDetection LegalCompliance LegalObligation LegitimateInterest Location Organisation PrivacyNotice Process PublicInterest Purpose Record VitalInterest "
    "ResearchAndDevelopment ServiceOptimisation ServiceUsageAnalytics StorageCondition StorageDuration StorageLocation Store "
    "ThirdParty UntilEventDuration UntilTimeDuration WithdrawConsent hasAddress hasConsentControl hasConsentStatus hasContact "
    "hasDataController hasDataSubject hasDuration hasEntity hasIdentifier hasIndicationMethod hasJurisdiction hasLegalBasis "
    "hasLocation hasName hasNotice hasPersonalData hasProcess hasProcessing hasPurpose hasRecipient hasRight hasStorageCondition "
    "isExercisedAt isIndicatedAtTime isIndicatedBy".split()
)


class Problems(list):
    def unless(self, fine, text):
        if not fine:
            self.append(text)
        return fine


def main(arguments):
    schemas, certificate, files = [], None, []
    arguments = list(arguments)
    while arguments:
        argument = arguments.pop(0)
        if argument in ("--schema", "--certificate"):
            if not arguments:
                print(__doc__, file=sys.stderr)
                return 2
            path = arguments.pop(0)
            if argument == "--schema":
                schemas.append(read_schema(path))
            else:
                certificate = read_certificate(path)
        else:
            files.append(argument)
    if not files:
        print(__doc__, file=sys.stderr)
        return 2
    invalid = False
    for path in files:
        problems = Problems()
        try:
            told = check(path, schemas, certificate, problems)
        except (KeyError, TypeError, ValueError, AttributeError, OSError, jsonld.JsonLdError) as error:
            problems.append(f"cannot be read as any form: {type(error).__name__}: {error}")
            told = {}
        for problem in problems:
            print(f"{path}: {problem}", file=sys.stderr)
        invalid |= bool(problems)
        print(json.dumps({"file": path, **told}))
    return int(invalid)


def check(path, schemas, certificate, problems):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    if "@graph" in document:
        return {"form": "records", "records": check_records(document, problems)}
    if "signatures" in document:
        return {"form": "signed", **check_vcon(check_signed(document, certificate, problems), schemas, problems)}
    return {"form": "unsigned", **check_vcon(document, schemas, problems)}


def read_schema(path):
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    formats = jsonschema.FormatChecker()
    missing = {"uuid", "date-time"} - set(formats.checkers)
    if missing:
        raise SystemExit(f"the schema's formats {sorted(missing)} would not be checked; install rfc3339-validator")
    return kind(schema, format_checker=formats)


def read_certificate(path):
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificate(file.read())


# --- vCon ---------------------------------------------------------------------------------------------------------------------


def check_vcon(document, schemas, problems):
    for schema in schemas:
        for error in sorted(schema.iter_errors(document), key=str):
            problems.append(f"schema: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
    text = json.dumps(document)
    fine, errors = Vcon.validate_json(text)
    problems.unless(fine, f"vcon.validate_json: {errors}")
    library = Vcon.build_from_json(text)
    told = library.validate_extensions()
    problems.unless("error" not in told, f"vcon.validate_extensions: {told}")
    for name, result in told.items():
        for one in result if isinstance(result, list) else [result]:
            problems.unless(one["is_valid"], f"vcon.validate_extensions: {name}: {one['errors']}")
    check_own(document, problems)
    parties = range(len(document["parties"]))
    return {
        "uuid": document["uuid"],
        "recording": {str(party): library.check_lawful_basis_permission("recording", party) for party in parties}
        | {"all": library.check_lawful_basis_permission("recording")},
        "processed": all(result.success for result in library.process_extensions().values()),
    }


def check_own(document, problems):
    """What `vcon` 0.10.0 lets pass."""
    parties, dialogs = len(document["parties"]), len(document["dialog"])
    problems.unless(uuid.UUID(document["uuid"]).version == 8, "`uuid` is not of version 8")
    problems.unless(str(uuid.UUID(document["uuid"])) == document["uuid"], "`uuid` is not written as usual")
    problems.unless(document.get("vcon") == "0.4.0", "`vcon` is not 0.4.0")
    problems.unless("critical" not in document, "`critical`: the extension is a compatible one")
    for number, dialog in enumerate(document["dialog"]):
        where = f"dialog {number}"
        problems.unless(dialog.get("type") == "recording", f"{where}: `type` is not recording")
        problems.unless(all(0 <= party < parties for party in dialog["parties"]), f"{where}: no such party")
        problems.unless(("url" in dialog) == ("content_hash" in dialog), f"{where}: `url` and `content_hash` go together")
        if "url" in dialog:
            problems.unless(dialog["url"].startswith("https://"), f"{where}: `url` is not https")
            check_hash(dialog["content_hash"], where, problems)
        for event in dialog.get("party_history", []):
            problems.unless(0 <= event["party"] < parties, f"{where}: party_history names no party")
    said = False
    for number, attachment in enumerate(document["attachments"]):
        where = f"attachment {number}"
        problems.unless(0 <= attachment["party"] < parties, f"{where}: no such party")
        problems.unless(0 <= attachment["dialog"] < dialogs, f"{where}: no such dialog")
        problems.unless(attachment["encoding"] == "json" and isinstance(attachment["body"], dict), f"{where}: not JSON itself")
        if attachment["purpose"] == "lawful_basis":
            said = True
            check_basis(attachment["body"], where, problems)
        elif "evidence" in attachment["body"]:
            check_evidence(attachment["body"]["evidence"], where, problems)
    problems.unless(not said or "lawful_basis" in document["extensions"], "`extensions` lacks lawful_basis")


def check_basis(body, where, problems):
    # Of the body that holds it: no reader could ever compute it.
    problems.unless("content_hash" not in body, f"{where}: the body holds its own `content_hash`")
    problems.unless("registry" not in body, f"{where}: the log is no SCITT registry")
    purposes = [grant["purpose"] for grant in body["purpose_grants"]]
    problems.unless("recording" in purposes and len(set(purposes)) == len(purposes), f"{where}: purposes {purposes}")
    problems.unless(len({grant["granted"] for grant in body["purpose_grants"]}) == 1, f"{where}: granted in part")
    proofs = [proof for proof in body["proof_mechanisms"] if proof["proof_type"] == "external_system"]
    problems.unless(proofs, f"{where}: nothing of it is proven")
    for proof in proofs:
        check_evidence(proof["proof_data"], where, problems)


def check_evidence(data, where, problems):
    leaf = data["leaf"].encode("utf-8")
    problems.unless(hashlib.sha256(b"\0" + leaf).hexdigest() == data["leaf_hash"], f"{where}: `leaf_hash` is another leaf's")
    problems.unless(json.loads(leaf)["type"] == data["event"], f"{where}: the leaf is of another type than `event`")
    problems.unless(type(data["log_index"]) is int and data["log_index"] >= 0, f"{where}: `log_index` is no index")
    problems.unless(re.fullmatch(r"[^\s+]+", data["log_origin"]), f"{where}: `log_origin` is no origin")
    if "tlog_proof" in data:
        lines = data["tlog_proof"].split("\n")
        problems.unless(lines[0] == "c2sp.org/tlog-proof@v1", f"{where}: `tlog_proof` is no proof")
        problems.unless(f"index {data['log_index']}" in lines, f"{where}: `tlog_proof` is of another index")


def check_hash(text, where, problems):
    name, _, value = text.partition("-")
    lengths = {"sha512": 64, "sha256": 32}
    fine = problems.unless(name in lengths and "=" not in value, f"{where}: `content_hash` is no hash: {text}")
    if fine:
        problems.unless(len(base64url(value)) == lengths[name], f"{where}: `content_hash` is cut or padded: {text}")


# --- the signed form ----------------------------------------------------------------------------------------------------------


def check_signed(document, certificate, problems):
    """RFC 7515 section 7.2.1, and the vCon draft's section on the signed form. Returns what was signed."""
    problems.unless(set(document) == {"payload", "signatures"}, f"members of the JWS: {sorted(document)}")
    payload = json.loads(base64url(document["payload"]))
    problems.unless(len(document["signatures"]) >= 1, "nobody has signed")
    for signature in document["signatures"]:
        protected, header = json.loads(base64url(signature["protected"])), signature["header"]
        problems.unless(not set(protected) & set(header), "a parameter stands in both headers")
        problems.unless(protected.get("alg") == "RS256", "`alg` is not RS256, or not protected")
        problems.unless(header.get("uuid") == payload["uuid"], "`uuid` is another vCon's")
        chain = [x509.load_der_x509_certificate(base64.b64decode(text, validate=True)) for text in header["x5c"]]
        if certificate is not None:
            problems.unless(chain[0] == certificate, "`x5c` begins with another certificate")
        for below, above in zip(chain, chain[1:]):
            try:
                below.verify_directly_issued_by(above)
            except Exception as error:
                problems.append(f"`x5c` is no chain: {type(error).__name__}: {error}")
        key = chain[0].public_key()
        if not problems.unless(isinstance(key, rsa.RSAPublicKey), "the certificate is not of an RSA key"):
            continue
        signed = f"{signature['protected']}.{document['payload']}".encode("ascii")
        try:
            key.verify(base64url(signature["signature"]), signed, padding.PKCS1v15(), hashes.SHA256())
        except Exception as error:
            problems.append(f"the signature does not verify: {type(error).__name__}")
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        try:
            authlib = JsonWebSignature(algorithms=["RS256"]).deserialize_json(document, pem)
            problems.unless(json.loads(authlib["payload"]) == payload, "Authlib reads another payload")
        except Exception as error:
            problems.append(f"Authlib does not verify it: {type(error).__name__}: {error}")
    return payload


def base64url(text):
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError(f"not base64url without padding: {text[:40]}")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- consent records ----------------------------------------------------------------------------------------------------------


def no_loading(url, _options):
    raise jsonld.JsonLdError(f"`{url}` would have to be fetched", "jsonld.LoadDocumentError")


def check_records(document, problems):
    expanded = jsonld.expand(document, {"documentLoader": no_loading})
    terms = set(found_terms(expanded))
    problems.unless(terms <= DPV_TERMS, f"not of the vocabulary, or not listed here: {sorted(terms - DPV_TERMS)}")
    # What cannot be expanded is dropped without a word: it would be missing in the triples, too.
    problems.unless(json.dumps(document["@graph"]).count('"dpv:has') == json.dumps(expanded).count(f'"{DPV}has'), "a term was lost")
    records = [node for node in expanded if DPV + "ConsentRecord" in node.get("@type", [])]
    problems.unless(len(records) == len(document["@graph"]), "something in the graph is no consent record")
    for record in records:
        check_record(record, problems)
    return len(records)


def found_terms(value):
    if isinstance(value, list):
        for one in value:
            yield from found_terms(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key.startswith(DPV):
                yield key[len(DPV):]
            yield from found_terms(one)
    elif isinstance(value, str) and value.startswith(DPV):
        yield value[len(DPV):]


def check_record(record, problems):
    """The fields that ISO/IEC TS 27560 makes mandatory, by the names of the vocabulary."""
    name = record.get("@id", "a record")

    def needed(node, term, what):
        found = node.get(term, [])
        empty = not found or any(one.get("@value", "x") in ("", None) for one in found)
        problems.unless(not empty, f"{name}: {what} is missing ({term})")
        return found

    (profile,) = needed(record, DCT + "conformsTo", "schema version")
    problems.unless(profile.get("@id") == PROFILE, f"{name}: another profile: {profile}")
    needed(record, DCT + "identifier", "record id")
    for subject in needed(record, DPV + "hasDataSubject", "pii principal"):
        needed(subject, DCT + "identifier", "pii principal id")
    notices = needed(record, DPV + "hasNotice", "privacy notice")
    privacy = [notice for notice in notices if DPV + "PrivacyNotice" in notice["@type"]]
    problems.unless(privacy and all(SCHEMA_ORG + "url" in notice for notice in privacy), f"{name}: no URL of the privacy notice")
    needed(record, DCT + "language", "language")
    needed(record, DPV + "hasJurisdiction", "jurisdiction")
    for control in needed(record, DPV + "hasConsentControl", "withdrawal method"):
        needed(control, DPV + "isExercisedAt", "withdrawal method")
    entities = {entity["@id"]: entity for entity in needed(record, DPV + "hasEntity", "parties")}
    for controller in needed(record, DPV + "hasDataController", "pii controllers"):
        party = entities[controller["@id"]]
        for term, what in (("hasIdentifier", "id"), ("hasAddress", "address"), ("hasName", "name"), ("hasContact", "contact")):
            needed(party, DPV + term, f"party {what}")
        problems.unless(DPV + "DataController" in party["@type"], f"{name}: party type is missing")
    for process in needed(record, DPV + "hasProcess", "processing"):
        needed(process, DPV + "hasPurpose", "purpose")
        needed(process, DPV + "hasPersonalData", "pii type")
        for recipient in needed(process, DPV + "hasRecipient", "recipients"):
            problems.unless(recipient["@id"] in entities, f"{name}: a recipient is no party")
        conditions = {condition["@type"][0]: condition for condition in needed(process, DPV + "hasStorageCondition", "storage")}
        needed(conditions.get(DPV + "StorageLocation", {}), DPV + "hasLocation", "storage locations")
        for duration in needed(conditions.get(DPV + "StorageDuration", {}), DPV + "hasDuration", "retention period"):
            needed(duration, RDF + "value", "retention period")
    for event in needed(record, DPV + "hasConsentStatus", "events"):
        states = [state for state in event["@type"] if state[len(DPV):].startswith("Consent")]
        problems.unless(len(states) == 1, f"{name}: event state: {event['@type']}")
        given = DPV + "ConsentGiven" in states
        problems.unless(given == (len(event["@type"]) == 2), f"{name}: event type: {event['@type']}")
        needed(event, DCT + "date", "event time")
        needed(event, DPV + "isIndicatedAtTime", "event time")
        needed(event, DCT + "valid", "validity duration")
        needed(event, DPV + "hasDuration", "validity duration")
        needed(event, DPV + "isIndicatedBy", "entity id")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

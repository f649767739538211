"""Verifies evidence logs with nothing but Python's standard library and OpenSSL, written from docs/formats/ alone.

Reads {"root": <trust root>, "logs": [[line, ...], ...], "strict": [{"hex", "max_bytes"}, ...]} on stdin and writes
{"logs": [{"code", "seq", "size", "root"}, ...], "strict": [code, ...]}. Leaves out step 6's schema: that is a page of its own.
"""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

MAX_LINE, MAX_SAFE, ZEROS = 65535, 2**53 - 1, "0" * 64
FORBIDDEN = {"__proto__", "constructor", "prototype"}
BOUND = ["origin", "partner_id", "customer_id", "site_id", "appliance_id", "deployment_mode", "reseller_id"]


class Bad(Exception):
    """What does not hold, by its code."""


def need(holds, code):
    if not holds:
        raise Bad(code)


# docs/formats/encodings.md, "Strict JSON"
def strict(data, max_bytes):
    need(len(data) <= max_bytes, "json_too_large")

    def pairs(items):
        need(len({name for name, _ in items}) == len(items), "json_not_strict")
        return dict(items)

    def no_float(_):
        raise Bad("json_not_strict")

    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=pairs, parse_float=no_float, parse_constant=no_float
        )
        walk(value, 0)
        again = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except RecursionError:
        raise Bad("json_too_deep") from None
    except ValueError:
        raise Bad("json_not_strict") from None
    need(again == data, "json_not_strict")
    return value


def walk(value, depth):
    if isinstance(value, int) and not isinstance(value, bool):
        need(abs(value) <= MAX_SAFE, "json_not_strict")
    if isinstance(value, (dict, list)):
        need(depth < 16, "json_too_deep")
    if isinstance(value, dict):
        for name in value:
            need(not re.fullmatch("[0-9]+", name) and name not in FORBIDDEN, "json_not_strict")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        walk(inner, depth + 1)


def unbase64(text):
    data = base64.b64decode(text)
    need(base64.b64encode(data).decode() == text, "base64_invalid")
    return data


# docs/formats/envelope.md
def envelope(value, ordered):
    def fields(item, names):
        need(isinstance(item, dict), "envelope_invalid")
        need(list(item) == names if ordered else sorted(item) == names, "envelope_invalid")

    fields(value, ["payload", "payloadType", "signatures"])
    need(isinstance(value["payload"], str) and isinstance(value["payloadType"], str), "envelope_invalid")
    need(re.fullmatch(r"application/vnd\.[a-z0-9.+-]{1,84}", value["payloadType"]), "envelope_invalid")
    signatures = value["signatures"]
    need(isinstance(signatures, list) and 1 <= len(signatures) <= 16, "envelope_invalid")
    for signature in signatures:
        fields(signature, ["keyid", "sig"])
        need(re.fullmatch("[0-9a-f]{64}", signature["keyid"]), "envelope_invalid")
    need(len({s["keyid"] for s in signatures}) == len(signatures), "envelope_invalid")
    payload = unbase64(value["payload"])
    return payload, value["payloadType"], [(s["keyid"], unbase64(s["sig"])) for s in signatures]


def verified(spki, payload, payload_type, sig):
    kind = payload_type.encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    with tempfile.TemporaryDirectory() as folder:
        names = {name: os.path.join(folder, name) for name in ("key", "sig", "signed")}
        for name, data in (("key", base64.b64decode(spki)), ("sig", sig), ("signed", signed)):
            with open(names[name], "wb") as file:
                file.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", names["key"]]
        command += ["-in", names["signed"], "-sigfile", names["sig"]]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def keyid(spki):
    return hashlib.sha256(base64.b64decode(spki)).hexdigest()


# docs/formats/entry.md, "Verifying a log", step 4
def open_binding(root, predicate):
    try:
        payload, payload_type, signatures = envelope(predicate["binding"], False)
        need(payload_type == "application/vnd.compliance-agent.binding+json", "")
        keys = {k["keyid"]: k["spki"] for k in root["keys"] if k["keyid"] in root["roles"]["registrar"]["keyids"]}
        need(any(k in keys and verified(keys[k], payload, payload_type, sig) for k, sig in signatures), "")
        binding = strict(payload, 8192)
        need(binding["partner_id"] == root["partner_id"] and binding["status"] == predicate["status"], "")
        need(binding["origin"] == "%s/%s/%d" % (root["log_domain"], binding["appliance_id"], binding["epoch"]), "")
        return binding
    except (Bad, KeyError):
        raise Bad("entry_unbound") from None


def entry(line, n, prev, binding, root):
    data = line.encode("utf-8")
    payload, payload_type, signatures = envelope(strict(data, MAX_LINE), True)
    need(payload_type == "application/vnd.in-toto+json", "payload_type_mismatch")
    need(len(signatures) == 1, "entry_signature_count")
    if n == 0:
        predicate = strict(payload, MAX_LINE)["predicate"]
        need(predicate["seq"] == 0, "entry_seq")
        need(predicate["kind"] == "epoch", "entry_unbound")
        binding = open_binding(root, predicate)
    need(signatures[0][0] == keyid(binding["device_spki"]), "signature_invalid")
    need(verified(binding["device_spki"], payload, payload_type, signatures[0][1]), "signature_invalid")
    predicate = strict(payload, MAX_LINE)["predicate"]
    need(all(predicate.get(name) == binding.get(name) for name in BOUND), "entry_origin")
    need(predicate["seq"] == n, "entry_seq")
    need(predicate["prev"] == prev, "entry_prev")
    need(predicate["observed_from"] <= predicate["observed_to"], "entry_time")
    return binding, hashlib.sha256(b"\0" + data).digest()


def tree_root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + tree_root(leaves[:k]) + tree_root(leaves[k:])).digest()


def log(lines, root):
    leaves, binding = [], None
    code, seq = "ok", None
    for n, line in enumerate(lines):
        try:
            binding, leaf = entry(line, n, leaves[-1].hex() if leaves else ZEROS, binding, root)
            leaves.append(leaf)
        except Bad as bad:
            code, seq = str(bad), n
            break
    return {"code": code, "seq": seq, "size": len(leaves), "root": tree_root(leaves).hex()}


def strict_code(case):
    try:
        strict(bytes.fromhex(case["hex"]), case["max_bytes"])
        return "ok"
    except Bad as bad:
        return str(bad)


task = json.load(sys.stdin)
logs = [log(lines, task["root"]) for lines in task["logs"]]
json.dump({"logs": logs, "strict": [strict_code(case) for case in task["strict"]]}, sys.stdout)

"""Verifies an auditor bundle with Python 3.11's standard library and OpenSSL 3. Written from docs/formats/, not from the agent's code.
python3 verify.py [BUNDLE] --root-sha256 HEX [--anchor FILE] [--revocations FILE] [--all] [--seed N] [--json]   exit: 0 verified, 4 not, 8 untrusted root, 2 wrong use
HEX comes from outside of the bundle: contract, the partner's page. What this does not look at: docs/verify/README.md."""
import argparse, base64, functools, hashlib, json, pathlib, random, re, subprocess, sys, tempfile
SAMPLE, MAX_LINE, HEX, PART = 20_000, 65_535, "[0-9a-f]{64}", "[A-Za-z0-9_][A-Za-z0-9._-]*"; ODD_NAME = re.compile("[0-9]+|__proto__|constructor|prototype")
SIGNATURE, BOUND = r'\{"keyid":"([0-9a-f]{64})","sig":"([^"\\]{1,200})"\}', "origin partner_id customer_id site_id appliance_id deployment_mode reseller_id".split()
LINE = r'\{"payload":"([^"\\]*)","payloadType":"(application/vnd\.[a-z0-9.+-]{1,84})","signatures":\[(SIG(?:,SIG){0,15})\]\}'.replace("SIG", SIGNATURE)
ANCHOR = rf"\bcheckpoint ([a-z0-9./-]{{1,200}}) (0|[1-9][0-9]{{0,15}}) ({HEX})(?![0-9a-f])|(?m:^)([a-z0-9./-]{{1,200}})\n(0|[1-9][0-9]{{0,15}})\n([A-Za-z0-9+/]{{43}}=)\n"
class Bad(Exception): pass  # what does not hold, by its code
def need(*facts):  # what has to hold, each time followed by the code where it does not
    if broken := [code for holds, code in zip(facts[::2], facts[1::2]) if not holds]: raise Bad(broken[0])
sha, keyid = lambda *parts: hashlib.sha256(b"".join(parts)), lambda spki: sha(base64.b64decode(spki)).hexdigest()
def strict(data, limit, schema=None):  # encodings.md, "Strict JSON"
    try:
        level, depth = [value := json.loads(data.decode()) if len(data) <= limit else need(False, "json_too_large")], 0
        while level:  # the value, then what is in it, one depth after the other
            need(all(type(v) is not float and (type(v) is not int or abs(v) < 2**53) for v in level), "json_not_strict")
            level, depth = [v for v in level if type(v) in (dict, list)], depth + 1
            need(not any(ODD_NAME.fullmatch(name) for v in level if type(v) is dict for name in v), "json_not_strict", depth < 17 or not level, "json_too_deep")
            level = [part for v in level for part in (v.values() if type(v) is dict else v)]
        need(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() == data, "json_not_strict")  # a name twice is gone here
    except (ValueError, RecursionError) as error: raise Bad("json_not_strict" if isinstance(error, ValueError) else "json_too_deep")
    value = value["predicate"] if schema == "evidence" else value
    return need(schema is None or value["schema"] == f"compliance-agent/{schema}/v1", "schema_invalid") or value
def unbase64(text):
    return need(re.fullmatch("([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}(==|[A-Za-z0-9+/]=))?", text) and base64.b64encode(raw := base64.b64decode(text)).decode() == text, "base64_invalid") or raw
def envelope(line, limit, kind):  # envelope.md: payload, the bytes that were signed, [(keyid, signature)]
    match = re.fullmatch(LINE, line.decode(errors="replace")) if len(line) <= limit else None; need(match or strict(line, limit) is match, "envelope_invalid")
    payload, signatures = unbase64(match[1]), [(keyid, unbase64(sig)) for keyid, sig in re.findall(SIGNATURE, match[3])]
    need(len(dict(signatures)) == len(signatures), "envelope_invalid", match[2] == kind, "payload_type_mismatch")
    return payload, b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload), signatures
def document(line, name, limit): return envelope(line, 4 * ((limit + 2) // 3) + 4096, f"application/vnd.compliance-agent.{name}+json")
def signed(spki, data, sig):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("key", base64.b64decode(spki)), ("data", data), ("sig", sig)): pathlib.Path(folder, name).write_bytes(content)
        return not subprocess.run("openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key -in data -sigfile sig".split(), cwd=folder, capture_output=True).returncode
def role(root, name, data, signatures):  # root.md, "Signatures": persons count, not keys; a key for some sites signs nothing that is read here
    keys = [k for k in root["keys"] for i, sig in signatures if k["keyid"] == i in root["roles"][name]["keyids"] and signed(k["spki"], data, sig)]
    persons = {k["person"] for k in keys if "sites" not in k}; need(persons, "signature_invalid", len(persons) >= root["roles"][name]["threshold"], "threshold_not_met")
def root_chain(lines, digest):  # root.md: the root with that digest, then each next one under the keys of both; newest first
    found, roots = [sha(document(line, "root", 262_144)[0]).hexdigest() for line in lines], []
    need(found, "root_not_found", digest in (None, *found), "root_digest_mismatch")
    for line in lines[found.index(digest or found[0]):]:
        payload, *rest = document(line, "root", 262_144); root = strict(payload, 262_144, "root")
        need(all(keyid(k["spki"]) == k["keyid"] for k in root["keys"] + root["past_keys"]), "root_invalid")
        [role(signers, "root", *rest) for signers in roots[:1] + [root]]; need(not roots or root["version"] == roots[0]["version"] + 1, "root_version")
        need(all(root[name] == old[name] for old in roots for name in ("partner_id", "log_domain")), "root_invalid"); roots.insert(0, root)
    return roots, digest or found[0]
def witness_keys(root, name): return [(k["spki"], 0, 2**53) for k in root["keys"] if k["keyid"] in root["roles"][name]["keyids"]] + [  # root.md: (key, from,
    (k["spki"], k["valid_from"], k["valid_until"]) for k in root["past_keys"] if (k["role"], k["status"]) == (name, "retired")]  # until) that count as `name`
def receipt(line, root):  # upload-and-receipts.md
    payload, data, sigs = document(line, "receipt", 65_536); times = [key[1:] for key in witness_keys(root, "receipt") for i, sig in sigs if i == keyid(key[0]) and signed(key[0], data, sig)]
    value = times and strict(payload, 65_536, "receipt"); return need(any(first <= value["stored_at"] <= until for first, until in times), "signature_invalid") or value
def checkpoints(path, origin, spki, root):  # checkpoint.md: (size, root, when the witness cosigned it or 0) of each note in the file
    notes = path.read_bytes().decode()
    found = re.findall(r"((.+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n(?:.+\n)*)\n((?:— \S+ \S+\n)+)(?:\n|$)", notes)
    need(sum(len(text) + len(lines) + 2 for text, _, _, _, lines in found) == len(notes) + bool(notes), "note_invalid")
    for text, name, size, top, lines in found:
        lines = [(n, unbase64(sig)) for n, sig in re.findall(r"— (\S+) (\S+)", lines)]
        by = lambda name, kind, key: [sig[4:] for n, sig in lines if n == name and sig[:4] == sha(f"{n}\n".encode(), kind, base64.b64decode(key)[-32:]).digest()[:4]]
        need(name == origin, "checkpoint_mismatch", {signed(spki, text.encode(), sig) for sig in by(origin, b"\1", spki)} == {True}, "signature_invalid")
        seen = [(int.from_bytes(sig[:8], "big"), sig[8:], *key) for key in witness_keys(root, "witness") for sig in by(root["witness_name"], b"\4", key[0])]
        need(all(signed(key, f"cosignature/v1\ntime {time}\n{text}".encode(), sig) for time, sig, key, *_ in seen), "cosignature_invalid")
        yield int(size), unbase64(top).hex(), max([time for time, _, _, first, until in seen if first <= time <= until], default=0)
def embedded(e): return json.dumps({name: e[name] for name in ("payload", "payloadType", "signatures")}, separators=(",", ":")).encode()
def under_any(e, name, by, roots, code, holds, limit=8192):  # entry.md, step 4: a document, embedded or a line, under the newest root that takes it
    for root in roots:
        try:
            payload, *rest = document(e if type(e) is bytes else embedded(e), name, limit); role(root, by, *rest)
            need(holds(value := strict(payload, limit, name), root), f"{name}_invalid"); return {**value, "sha256": sha(payload).hexdigest()}
        except (Bad, KeyError, TypeError) as error: code = code or (str(error) if isinstance(error, Bad) else "schema_invalid")
    raise Bad(code)
def binding_of(e, roots): return under_any(e, "binding", "registrar", roots, "entry_unbound", lambda b, root: b["partner_id"] == root["partner_id"] and
    b["origin"] == f"{root['log_domain']}/{b['appliance_id']}/{b['epoch']}" and (b["deployment_mode"] == "reseller") == ("reseller_id" in b))
def first(p, roots):  # entry.md, step 4: whose log it is, by the binding in entry 0, or by a succession and the binding of the epoch before
    try:
        b = binding_of(p["predecessor" if "succession" in p else "binding"], roots)
        if "succession" not in p: return b if (p["kind"], b["status"]) == ("epoch", p["status"]) else need(False, "entry_unbound")
        payload, data, [(by, sig)] = document(embedded(p["succession"]), "succession", 8192); s = strict(payload, 8192, "succession")
        need(by == keyid(b[s["signed_with"] + "_spki"]) and signed(b[s["signed_with"] + "_spki"], data, sig) and s["new_device_spki"] != b["device_spki"], "")
        need((s["appliance_id"], s["old_origin"], s["new_origin"]) == (b["appliance_id"], b["origin"], re.sub("[0-9]+$", str(b["epoch"] + 1), b["origin"])), "")
        need((p["ended"]["old_origin"], p["kind"], p["status"], p.get("binding")) == (b["origin"], "epoch", "provisional", None), "")
    except (Bad, KeyError, TypeError, ValueError): raise Bad("entry_unbound")
    return {**b, "origin": s["new_origin"], "device_spki": s["new_device_spki"], "status": "unbound", "after": b}
def renewed(p, old, roots):  # entry.md, step 11: the binding of a log that began with a succession, a newer one, or its confirmation by people
    need(not {"succession", "predecessor"} & p.keys() and not {"binding", "confirmation"} <= p.keys(), "entry_unbound")
    if "confirmation" in p:  # it turns a provisional log into a confirmed one, and nothing else
        could = [root for root, next in zip(roots, [None, *roots]) if not next or old["issued_at"] <= next["issued_at"] + 1_209_600]  # not who left before
        under_any(p["confirmation"], "epoch-confirmation", "operator", could, "epoch_unconfirmed", lambda c, _: (old["status"], p["status"], old.get("sha256")) ==
            ("provisional", "confirmed", c["binding_sha256"]) and all(c[name] == old[name] for name in ("partner_id", "site_id", "appliance_id", "origin")))
    if "binding" not in p: return {**old, "status": "confirmed"} if "confirmation" in p else old
    b, after, new = binding_of(p["binding"], roots), old.get("after"), old["status"] == "unbound"
    need(all(b.get(name) == old.get(name) for name in (*BOUND, "device_spki")) and (not new or (b["previous"] or {}).get("origin") == after["origin"]) and
        p["status"] == b["status"] == ("provisional" if new else old["status"]), "entry_unbound")
    need(not new or after["status"] == "confirmed" or b["issued_at"] - after["issued_at"] >= 86_400, "epoch_too_soon"); return {**b, "after": after}
def entry(line, n, prev, binding, roots, check):  # entry.md, "Verifying a log"; gives the binding in force after line n
    payload, data, signatures = envelope(line, MAX_LINE, "application/vnd.in-toto+json"); need(len(signatures) == 1, "entry_signature_count")
    if n == 0: need(strict(payload, MAX_LINE, "evidence")["seq"] == 0, "entry_seq"); binding = first(strict(payload, MAX_LINE, "evidence"), roots)
    (found, sig), spki = signatures[0], binding["device_spki"]; need(found == keyid(spki) and (not check or signed(spki, data, sig)), "signature_invalid")
    p = strict(payload, MAX_LINE, "evidence"); need(all(p.get(name) == binding.get(name) for name in BOUND), "entry_origin")
    need(p["seq"] == n, "entry_seq", p["prev"] == prev, "entry_prev", p["observed_from"] <= p["observed_to"], "entry_time")
    return renewed(p, binding, roots) if n and p["kind"] == "epoch" else binding
def grow(tree, n, node): return grow(tree, 2 * n, sha(b"\1", tree.pop()[1], node).digest()) if tree and tree[-1][0] == n else tree.append((n, node))  # RFC 6962
def root_of(tree): return tree and functools.reduce(lambda right, left: sha(b"\1", left, right).digest(), [h for _, h in tree[::-1]]).hex()
def lines_of(*paths): return (line[:-1] if line.endswith(b"\n") else line for path in paths for line in open(path, "rb"))
def log(paths, beside, roots, o):  # entry.md, "Verifying a log", with what lies beside it; bundle.md for entries that are left out
    tree, prev, binding, n, total, known, cut = [], "0" * 64, None, 0, sum(1 for _ in lines_of(*paths)), {}, 2**53
    receipts, said = [receipt(line, roots[0]) for line in lines_of(beside / "receipts.jsonl")], [path.read_text().split("\n") for path in beside.glob("timestamps/*.txt")]
    chosen = range(total) if o.all or total <= SAMPLE else {0, total - 1, *random.Random(o.seed).sample(range(total), SAMPLE)}
    v = {"code": None, "seq": None, **dict.fromkeys(("entries", "left_out", "signatures_skipped", "stored", "witnessed", "anchored"), 0), "receipts": len(receipts)}
    try:
        for i, line in enumerate(lines_of(*paths)):
            gone = n and re.fullmatch(rb'\{"left_out":([1-9][0-9]{0,15}),"root":"([0-9a-f]{64})"\}', line); need(n < cut, "origin_revoked")
            count, node = (int(gone[1]), bytes.fromhex(gone[2].decode())) if gone else (1, sha(b"\0", line).digest())
            need(n % count == count & (count - 1) == 0 and not any(n < size < n + count for size in inside) if gone else prev, "left_out_invalid")
            if not gone: binding, v["signatures_skipped"] = entry(line, n, prev, binding, roots, i in chosen), v["signatures_skipped"] + (i not in chosen)
            if n == 0:
                origin, n = binding["origin"], need(all(r["origin"] == binding["origin"] for r in receipts), "receipt_mismatch")  # what follows is about no entry
                notes, n = [*checkpoints(beside / "checkpoints.txt", origin, binding["device_spki"], roots[0])], 0
                stamps = [(int(size), name == origin and unbase64(top).hex()) for name, size, top, _ in said]  # the rest of a timestamp: openssl ts -verify
                said, brought = [(r["size"], r["root"]) for r in receipts] + [note[:2] for note in notes] + stamps + o.revoked.get(origin, []), [a[1:] for a in o.anchors if a[0] == origin]
                for size, root in said + brought: known.setdefault(size, set()).add(root)
                inside, outside, cut = dict(said), dict(brought), o.revoked.get(origin, [(cut, "")])[0][0]; need(cut, "origin_revoked")
                v["stored"], v["witnessed"] = max([r["size"] for r in receipts], default=0), max([size for size, _, time in notes if time], default=0)
            prev, n = count == 1 and node.hex(), n + count - 1; grow(tree, count, node); v["left_out" if gone else "entries"] += count
            need(n + 1 not in known or known[n + 1] == {root_of(tree)}, "log_root_mismatch"); n += 1; v["anchored"] = n if n in outside else v["anchored"]
        need(total, "log_empty", total and binding["status"] != "unbound", "epoch_unbound", max(known, default=0) <= n, "log_truncated")
    except (Bad, KeyError, TypeError) as bad: v["code"], v["seq"] = str(bad) if isinstance(bad, Bad) else "schema_invalid", {"log_empty": None, "epoch_unbound": 0}.get(str(bad), n)
    return {**v, "size": sum(size for size, _ in tree), "root": root_of(tree), **{name: binding and binding[name] for name in ("origin", "status")}}
def bundle(o):  # bundle.md: MANIFEST names all files, as sha256sum writes and checks them; a row of another form fails below
    rows = [re.fullmatch(f"({HEX})  ({PART}(?:/{PART})*)", line.decode(errors="replace")) for line in lines_of(o.bundle / "MANIFEST")]
    need(sorted(path.relative_to(o.bundle).as_posix() for path in o.bundle.rglob("*") if not path.is_dir()) == sorted([row[2] for row in rows] + ["MANIFEST"]) and
        all(hashlib.file_digest(open(o.bundle / row[2], "rb"), "sha256").hexdigest() == row[1] for row in rows), "bundle_mismatch")
    (roots, digest), number = root_chain([*lines_of(o.bundle / "root.json")], o.root_sha256), lambda path: (path.parent.name, int(path.name.split("-")[0]))
    newest = max((under_any(line, "revocations", "content", roots, None, lambda v, root: v["partner_id"] == root["partner_id"] and len(v["origins"]) ==
        len({r["origin"] for r in v["origins"]}), 262_144) for path in [*o.bundle.glob("revocations.json"), *filter(None, [o.revocations])] for line in lines_of(path)),
        key=lambda v: v["version"], default={"origins": [], "version": None}); o.revoked = {r["origin"]: [(r["trust_until_size"], r["root"])] for r in newest["origins"]}
    o.anchors = [(a or d, int(b or e), c or unbase64(f).hex()) for path in filter(None, [o.anchor]) for a, b, c, d, e, f in re.findall(ANCHOR, path.read_text(errors="replace"))]
    logs = [log(sorted(folder.glob("*-*.jsonl"), key=number), folder, roots, o) for folder in sorted(o.bundle.glob("logs/*/*"), key=number)]
    need(not o.anchor or any(v["code"] or v["anchored"] for v in logs), "anchor_invalid")  # one that is of none of these logs was brought in vain
    return {"verdict": "NOT VERIFIED" if not logs or any(v["code"] for v in logs) else "VERIFIED" if o.root_sha256 else "UNTRUSTED ROOT",
        "root": f"{roots[0]['version']} of {roots[0]['partner_id']}, pinned at {digest}", "revocations": newest["version"], "seed": o.seed, "logs": logs}
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter); flag, file = {"action": "store_true"}, {"type": pathlib.Path}
    for name, how in {"bundle": {"nargs": "?", "type": pathlib.Path, "default": pathlib.Path(__file__).resolve().parent}, "--root-sha256": {"type": str.lower}, "--seed":
        {"type": int, "default": random.randrange(2**32)}, "--all": flag, "--json": flag, "--anchor": file, "--revocations": file}.items(): parser.add_argument(name, **how)
    try: r = bundle(o := parser.parse_args())
    except (Bad, OSError, KeyError, TypeError, ValueError) as e: r = {"verdict": "NOT VERIFIED", "code": str(e) if isinstance(e, Bad) else "bundle_invalid", "why": repr(e), "logs": []}
    print(json.dumps(r) if o.json else "\n".join(f"{name}: {value}" for part in [r, *r["logs"]] for name, value in part.items() if name != "logs"))
    sys.exit({"VERIFIED": 0, "UNTRUSTED ROOT": 8}.get(r["verdict"], 4))

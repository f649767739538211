// README.txt of an auditor bundle: what lies where, and the three steps. Pure.

export const bundleReadme = (rootSha256: string): string => `Evidence of a compliance agent: a bundle for auditors

report.html      what was checked and found, for people. Begin here. It needs no network.
logs/A/N/*.jsonl the evidence: one signed entry per line. A is the appliance, N the life of its log (the epoch).
                 Where entries are left out, hashes stand for them: {"left_out": how many, "root": their hash}.
logs/A/N/receipts.jsonl, logs/A/N/checkpoints.txt, logs/A/N/timestamps/
                 what Central Command, its witness and a timestamp authority signed about that log.
root.json        the trust roots of the partner, oldest first: who may sign what.
revocations.json which logs the partner revoked, if it revoked any, and from where on. Ask for a newer one.
verify.py        verifies all of it with Python 3.11 and OpenSSL 3, and nothing of the maker's.
views/           entries.csv for spreadsheets, OSCAL assessment results, OCSF findings. Views are never the evidence.
MANIFEST         SHA-256 of every file: sha256sum -c MANIFEST

To verify:
1. Get the SHA-256 of the trust root from the contract or the partner, not from this folder.
   (This folder says ${rootSha256}.)
2. python3 verify.py . --root-sha256 DIGEST
3. The first line says VERIFIED, NOT VERIFIED or UNTRUSTED ROOT.

An entry counts only if it verifies. Whoever could change this folder could change this text too.
`;

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AgentError, isAgentError } from '../../../agent/errors/agent-error.ts';
import { verifyStrict } from '../../../agent/trust/verify-signature.ts';
import { openCheckpoint } from '../../../agent/wire/checkpoint.ts';
import { verifyCosignature } from '../../../agent/wire/cosignature.ts';
import { maxLineBytes, parseDocument, payloadDigest } from '../../../agent/wire/document.ts';
import { encodeEnvelope, pae, parseEnvelope } from '../../../agent/wire/dsse.ts';
import { jcs, jcsDigest } from '../../../agent/wire/jcs.ts';
import { keyidOf } from '../../../agent/wire/keys.ts';
import { leafHash, rootOfLeaves } from '../../../agent/wire/merkle.ts';
import { DOCUMENTS, type DocumentName } from '../../../agent/wire/schemas/payload-types.ts';
import { encodeStrict, parseStrict } from '../../../agent/wire/strict-json.ts';
import { expectCode } from '../../support/expect-code.ts';
import { vectorJson, vectorText } from '../../support/vectors.ts';
import { allVectors } from '../../../tools/vectors/all.ts';

interface Case {
  readonly name: string;
  readonly expect: string;
}
type LineCase = Case & { readonly line: string; readonly digest?: string };
interface DocumentFile {
  readonly document: DocumentName;
  readonly payload_type: string;
  readonly signer: { readonly keyid: string; readonly spki: string };
  readonly cases: readonly LineCase[];
}

const documentFiles = [...allVectors().keys()]
  .filter((path) => !path.includes('/'))
  .map((path) => ({ path, file: vectorJson<Partial<DocumentFile>>(path) }))
  .filter((entry): entry is { path: string; file: DocumentFile } => entry.file.document !== undefined);

/** For `it.each`: `%s` gives a name in full where `$name` shortens it. */
function byName<C extends { readonly name: string }>(cases: readonly C[]): (readonly [string, C])[] {
  return cases.map((c) => [c.name, c] as const);
}

/** 'ok' or the code of what was thrown. */
function outcome(fn: () => unknown): string {
  try {
    fn();
    return 'ok';
  } catch (error) {
    if (!isAgentError(error)) throw error;
    return error.code;
  }
}

/** What docs/formats/envelope.md tells a reader to do, in its order, for a document that one known key must have signed. */
function openLine(file: DocumentFile, line: string): string {
  const envelope = parseEnvelope(line, { maxBytes: maxLineBytes(file.document) });
  if (envelope.payloadType !== DOCUMENTS[file.document].payloadType) {
    throw new AgentError('payload_type_mismatch', 'another type');
  }
  const data = pae(envelope.payloadType, envelope.payload);
  const { keyid, spki } = file.signer;
  if (!envelope.signatures.some((s) => s.keyid === keyid && verifyStrict(spki, data, s.sig))) {
    throw new AgentError('signature_invalid', 'not signed by the known key');
  }
  parseDocument(file.document, envelope.payload);
  return payloadDigest(envelope);
}

describe('the committed vectors', () => {
  it('are byte for byte what tools/make-vectors.ts writes', () => {
    for (const [path, text] of allVectors()) expect(vectorText(path) === text, `${path} differs`).toBe(true);
  });

  it('are all of what lies in their folder', () => {
    const folder = join(import.meta.dirname, '..', '..', 'vectors');
    const found = readdirSync(folder, { withFileTypes: true }).filter((e) => e.isFile());
    const made = [...allVectors().keys()].filter((path) => !path.includes('/'));
    expect(
      found
        .map((e) => e.name)
        .filter((name) => name.endsWith('.json'))
        .sort(),
    ).toEqual(made.sort());
  });

  it('have one file for every signed document', () => {
    expect(documentFiles.map((d) => d.file.document).sort()).toEqual(Object.keys(DOCUMENTS).sort());
  });

  it('are at least a hundred, and a third of each file must be refused', () => {
    let total = 0;
    for (const path of allVectors().keys()) {
      const { cases = [] } = vectorJson<{ cases?: (Case & { strict?: boolean })[] }>(path);
      const refused = cases.filter((c) => (c.expect !== undefined ? c.expect !== 'ok' : c.strict === false)).length;
      if (path !== 'jcs.json') expect(refused * 3 >= cases.length, path).toBe(true);
      expect(new Set(cases.map((c) => c.name)).size, `${path}: names`).toBe(cases.length);
      total += cases.length;
    }
    expect(total).toBeGreaterThan(100);
  });
});

describe.each(documentFiles)('the vectors of $file.document', ({ file }) => {
  it('name payloadType and keyid as the code does', () => {
    expect(file.payload_type).toBe(DOCUMENTS[file.document].payloadType);
    expect(keyidOf(file.signer.spki)).toBe(file.signer.keyid);
  });

  it.each(byName(file.cases))('come out as they must: %s', (_, c) => {
    let digest: string | undefined;
    expect(outcome(() => (digest = openLine(file, c.line)))).toBe(c.expect);
    expect(digest).toBe(c.digest);
    if (c.expect === 'ok') {
      expect(encodeEnvelope(parseEnvelope(c.line, { maxBytes: maxLineBytes(file.document) }))).toBe(c.line);
    }
  });
});

describe('the vectors of the encodings', () => {
  const strict = vectorJson<{ max_bytes: number; cases: (Case & { hex: string })[] }>('strict-json.json');
  it.each(byName(strict.cases))('strict JSON: %s', (_, { hex, expect: expected }) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(outcome(() => parseStrict(bytes, { maxBytes: strict.max_bytes }))).toBe(expected);
    if (expected === 'ok') {
      expect(encodeStrict(parseStrict(bytes, { maxBytes: strict.max_bytes })).equals(bytes)).toBe(true);
    }
  });

  const fingerprints = vectorJson<{
    cases: { name: string; value: unknown; canonical: string; sha256: string }[];
    refused: { name: string; value: unknown }[];
  }>('jcs.json');
  it.each(byName(fingerprints.cases))('JCS: %s', (_, { value, canonical, sha256 }) => {
    expect(jcs(value)).toBe(canonical);
    expect(jcsDigest(value)).toBe(sha256);
  });
  it.each(byName(fingerprints.refused))('JCS refuses %s', (_, { value }) => {
    expectCode(() => jcs(value), 'json_not_strict');
  });

  type EnvelopeCase = LineCase & { payload?: string; payload_type?: string; keyids?: string[] };
  it.each(byName(vectorJson<{ cases: EnvelopeCase[] }>('envelope.json').cases))('envelope: %s', (_, c) => {
    expect(outcome(() => parseEnvelope(c.line, { maxBytes: 65_536 }))).toBe(c.expect);
    if (c.expect !== 'ok') return;
    const envelope = parseEnvelope(c.line, { maxBytes: 65_536 });
    expect(envelope.payload.toString('hex')).toBe(c.payload);
    expect(envelope.payloadType).toBe(c.payload_type);
    expect(envelope.signatures.map((s) => s.keyid)).toEqual(c.keyids);
  });

  it('Merkle: leaf hashes and roots of the vector', () => {
    const { lines, leaf_hashes, roots } =
      vectorJson<Record<'lines' | 'leaf_hashes' | 'roots', string[]>>('merkle.json');
    const leaves = lines.map((line) => leafHash(line));
    expect(leaves.map((h) => h.toString('hex'))).toEqual(leaf_hashes);
    roots.forEach((root, n) => expect(rootOfLeaves(leaves.slice(0, n)).toString('hex')).toBe(root));
  });
});

describe('the vectors of checkpoints', () => {
  const file = vectorJson<{
    log: { origin: string; spki: string };
    witness: { name: string; spki: string };
    cases: (Case & { note: string; size?: number; root?: string; time?: number })[];
  }>('checkpoint.json');

  it.each(byName(file.cases))('come out as they must: %s', (_, c) => {
    const open = () => {
      const { checkpoint, note } = openCheckpoint(c.note, file.log);
      return { checkpoint, time: verifyCosignature(note, file.witness) };
    };
    expect(outcome(open)).toBe(c.expect);
    if (c.expect !== 'ok') return;
    const { checkpoint, time } = open();
    expect(checkpoint).toMatchObject({ origin: file.log.origin, size: c.size });
    expect(checkpoint.root.toString('hex')).toBe(c.root);
    expect(time).toBe(c.time);
  });
});

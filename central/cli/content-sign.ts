import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { parse } from 'yaml';
import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import { sha256Hex } from '../../agent/wire/digest.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { packRunbook } from '../../agent/wire/runbook-package.ts';
import type { OrderClass } from '../../agent/wire/schemas/primitives.ts';
import type { ContentList } from '../../agent/wire/schemas/content.ts';
import { openContentList } from '../../agent/trust/content-list.ts';
import { revokedKeyids } from '../../agent/trust/revocations.ts';
import { defaultKeysDir, personSigners } from '../keys/person-keys.ts';
import { print, type Common } from './output.ts';
import { readGrants } from './read-grants.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly keys?: string;
  readonly dir: string;
  readonly note?: string;
  readonly grants?: string;
  readonly out?: string;
}

type ContentFile = ContentList['files'][number];

const CONTENT_LIFE_S = 90 * 86_400;
const RUNBOOK_FILE = 'runbook.yaml';
/** First folder of a path → what its files are. Everything else is a runbook. */
const KIND_OF_FOLDER: Readonly<Record<string, ContentFile['kind']>> = {
  baselines: 'baseline',
  controls: 'control_map',
  rules: 'rule',
};

/** Signs with every content key in the folder; refused before it is published unless appliances will take it. */
export async function signContent(o: Options): Promise<void> {
  const grantsFile = o.grants === undefined ? null : resolve(o.grants);
  const listed = listFiles(resolve(o.dir), grantsFile);
  const files = listed.map(({ file }) => file);
  await withRecords(o, async ({ store, trust, now }) => {
    const { root } = trust.root();
    const currentVersion = store.documents.latestVersion('content');
    const list: ContentList = {
      schema: 'compliance-agent/content-list/v1',
      partner_id: root.partner_id,
      version: (currentVersion ?? 0) + 1,
      issued_at: now(),
      expires_at: now() + CONTENT_LIFE_S,
      ...(o.note === undefined ? {} : { note: o.note }),
      files,
      grants: grantsFile === null ? [] : readGrants(grantsFile, files, now()),
    };
    const signers = (await personSigners(resolve(o.keys ?? defaultKeysDir()), 'content', root)).map((p) => p.signer);
    const envelope = signDocument('contentList', list, signers);
    const { digest, persons, value } = openContentList(root, envelope, {
      currentVersion,
      revokedKeyids: revokedKeyids(trust.revocations()?.value ?? null),
      now: now(),
    });
    const line = encodeEnvelope(envelope);
    // What is named is there before it is named.
    store.unit(() => {
      for (const { file, bytes } of listed) store.documents.addFile(file.sha256, bytes, now());
      store.documents.add({ kind: 'content', scope: '', version: value.version, digest, line }, now());
    });
    if (o.out !== undefined) writeFileSync(o.out, `${line}\n`);
    print(
      o,
      { version: value.version, sha256: digest, files: files.length, grants: value.grants.length, persons },
      `content list ${value.version} with ${files.length} files and ${value.grants.length} standing grants signed by ${persons.join(', ')}: ${digest}`,
    );
  });
}

interface Listed {
  readonly file: ContentFile;
  readonly bytes: Buffer;
}

/**
 * A folder with a runbook.yaml is one runbook, its scripts included; every other YAML or JSON file stands for itself, but for the
 * file of grants, which may lie among them.
 */
function listFiles(dir: string, grants: string | null): Listed[] {
  let names: string[];
  try {
    names = readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(?:ya?ml|json)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((name) => name !== grants);
  } catch (cause) {
    throw new AgentError('usage', 'the folder cannot be read', { place: dir, cause });
  }
  if (names.length === 0) throw new AgentError('usage', 'the folder holds no YAML or JSON files', { place: dir });
  const runbooks = names.filter((name) => basename(name) === RUNBOOK_FILE).map((name) => `${dirname(name)}${sep}`);
  return names
    .filter((name) => basename(name) === RUNBOOK_FILE || !runbooks.some((folder) => name.startsWith(folder)))
    .sort()
    .map((name) => describe(dir, name));
}

function describe(dir: string, file: string): Listed {
  const path = relative(dir, file).split(sep).join('/');
  const text = readFileSync(file);
  let head: Partial<Record<'id' | 'version' | 'class' | 'disruptive' | 'remediate', unknown>>;
  try {
    head = parse(text.toString('utf8'), { schema: 'core', maxAliasCount: 0 }) as typeof head;
  } catch (cause) {
    throw new AgentError('usage', 'the file is no YAML', { place: file, cause });
  }
  const { id, version } = head ?? {};
  if (typeof id !== 'string' || typeof version !== 'number') {
    throw new AgentError('usage', 'the file does not say its id and version', { place: file });
  }
  const kind = KIND_OF_FOLDER[path.split('/')[0] ?? ''] ?? 'runbook';
  const bytes = basename(file) === RUNBOOK_FILE ? packFolder(dirname(file)) : text;
  const described = { path, kind, id, version, sha256: sha256Hex(bytes), size: bytes.length };
  return { bytes, file: kind === 'runbook' ? { ...described, class: classOf(head, file) } : described };
}

/** What an order that runs it has to be (docs/formats/runbook.md); said outright by what is no folder. @throws usage */
function classOf(head: { class?: unknown; disruptive?: unknown; remediate?: unknown }, file: string): OrderClass {
  const said = (['read', 'routine', 'disruptive'] as const).find((one) => one === head.class);
  if (said !== undefined) return said;
  if (typeof head.disruptive !== 'boolean' || typeof head.remediate !== 'object' || head.remediate === null) {
    throw new AgentError('usage', 'the runbook does not say its class', { place: file });
  }
  if (head.disruptive) return 'disruptive';
  return (head.remediate as { by?: unknown }).by === 'none' ? 'read' : 'routine';
}

/** @throws usage with what packRunbook refuses */
function packFolder(dir: string): Buffer {
  try {
    const names = readdirSync(dir).filter((name) => name === RUNBOOK_FILE || name.endsWith('.ps1'));
    return packRunbook(names.map((path) => ({ path, text: readFileSync(join(dir, path), 'utf8') }))).bytes;
  } catch (cause) {
    if (!isAgentError(cause)) throw cause;
    throw new AgentError('usage', cause.message, { place: dir, cause });
  }
}

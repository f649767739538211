import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { domain, id } from '../../agent/wire/schemas/primitives.ts';
import { parseStoreAddress, storeAddressText } from '../evidence-store/store-address.ts';
import { defaultKeysDir } from '../keys/person-keys.ts';
import { wallClock } from '../service/central.ts';
import { createCentral } from '../service/create-central.ts';
import { print, type Common } from './output.ts';

interface Options extends Common {
  readonly data: string;
  readonly keys?: string;
  readonly partner: string;
  readonly person?: string[];
  readonly direct?: boolean;
  readonly logDomain?: string;
  readonly evidenceStore?: string;
}

export async function init(o: Options): Promise<void> {
  const logDomain = o.logDomain ?? `${o.partner}.internal`;
  if (!v.is(id, o.partner)) throw new AgentError('usage', '--partner is no id (lower-case letters, digits, hyphens)');
  if (!v.is(domain, logDomain)) throw new AgentError('usage', '--log-domain is no domain name');
  const evidenceStore = storeAddressText(parseStoreAddress(o.evidenceStore ?? 'folder'));
  const names = o.person ?? [userInfo().username];
  const [dataDir, keysDir] = [resolve(o.data), resolve(o.keys ?? defaultKeysDir())];
  const { root, caPins } = await createCentral({
    dataDir,
    keysDir,
    partnerId: o.partner,
    logDomain,
    direct: o.direct === true,
    persons: names.map((name) => ({ id: idOf(name), name: name.normalize('NFC') })),
    now: wallClock(),
    evidenceStore,
  });
  const { roles, persons } = root.root;
  const people = persons.filter((person) => person.kind === 'human').map((person) => person.id);
  print(
    o,
    {
      partner_id: o.partner,
      data: dataDir,
      keys: keysDir,
      root_version: 1,
      evidence_store: evidenceStore,
      root_sha256: root.digest,
      ca_pins: caPins,
      persons: people,
      thresholds: { root: roles.root.threshold, content: roles.content.threshold, operator: roles.operator.threshold },
    },
    [
      `Central Command of ${o.partner} is ready.`,
      `root digest     ${root.digest}`,
      `                publish it where auditors find it; whoever verifies evidence starts from it`,
      `CA pin          ${caPins[0]}`,
      `backup CA pin   ${caPins[1]}`,
      `persons         ${people.join(', ')} (root ${roles.root.threshold}, content ${roles.content.threshold}, operator ${roles.operator.threshold} must sign)`,
      `people's keys   ${keysDir}: give each person their own, keep the root and backup CA keys offline`,
      `server's data   ${dataDir}: back it up`,
      `evidence        ${evidenceStore}`,
    ].join('\n'),
  );
}

/** `Jane Doe` → `jane-doe`. @throws usage */
function idOf(name: string): string {
  const made = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);
  if (!v.is(id, made)) throw new AgentError('usage', `--person ${JSON.stringify(name)} holds no letters or digits`);
  return made;
}

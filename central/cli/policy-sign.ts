import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import type { SitePolicy } from '../../agent/wire/schemas/site-policy.ts';
import { openPolicy } from '../../agent/trust/policy.ts';
import { revokedKeyids } from '../../agent/trust/revocations.ts';
import { defaultKeysDir, personSigners } from '../keys/person-keys.ts';
import { print, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly keys?: string;
  readonly site: string;
  readonly out?: string;
}

const MAX_FILE_BYTES = 262_144;

/** What a policy is where its file says nothing: nothing is healed, nothing is reached, nothing is waived. */
const QUIET: Omit<SitePolicy, 'schema' | 'partner_id' | 'site_id' | 'version' | 'issued_at' | 'time_zone'> = {
  windows: [],
  allow_disruptive_outside_window: false,
  healing: { mode: 'off', runbooks: [] },
  target_networks: [],
  waivers: [],
  outputs: [],
  llm: null,
  timestamp_authority: null,
  auto_confirm: [],
  confirmations: [],
  retention_years: 7,
};

/** Signs with every operator key in the folder; refused before it is published unless appliances will take it. */
export async function signPolicy(file: string, o: Options): Promise<void> {
  const given = readPolicyFile(file);
  await withRecords(o, async ({ store, trust, now }) => {
    if (store.appliances.site(o.site) === null) throw new AgentError('site_unknown', `there is no site ${o.site}`);
    const { root } = trust.root();
    const currentVersion = store.documents.latestVersion('policy', o.site);
    // The schema refuses whatever of the file does not belong there.
    const policy = {
      schema: 'compliance-agent/site-policy/v1',
      partner_id: root.partner_id,
      site_id: o.site,
      version: (currentVersion ?? 0) + 1,
      issued_at: now(),
      ...QUIET,
      ...given,
    } as SitePolicy;
    const signers = (await personSigners(resolve(o.keys ?? defaultKeysDir()), 'operator', root)).map((p) => p.signer);
    const envelope = signDocument('sitePolicy', policy, signers);
    const opened = openPolicy(root, envelope, {
      siteId: o.site,
      currentVersion,
      revokedKeyids: revokedKeyids(trust.revocations()?.value ?? null),
      now: now(),
      place: file,
    });
    const line = encodeEnvelope(envelope);
    const { digest, persons, value } = opened;
    store.documents.add({ kind: 'policy', scope: o.site, version: value.version, digest, line }, now());
    if (o.out !== undefined) writeFileSync(o.out, `${line}\n`);
    print(
      o,
      { site_id: o.site, version: value.version, sha256: digest, persons },
      `policy ${value.version} of ${o.site} signed by ${persons.join(', ')}: ${digest}`,
    );
  });
}

function readPolicyFile(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > MAX_FILE_BYTES) throw new AgentError('usage', 'the policy file is too large', { place: file });
    value = parse(text, { schema: 'core', maxAliasCount: 0 });
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw new AgentError('usage', 'the policy file cannot be read as YAML or JSON', { place: file, cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AgentError('usage', 'the policy file holds no fields', { place: file });
  }
  return value as Record<string, unknown>;
}

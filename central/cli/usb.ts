import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { CODES, type ErrorCode } from '../../agent/errors/codes.ts';
import { clinicYaml } from '../../agent/wire/clinic-yaml.ts';
import { partnerSchema, type Root } from '../../agent/wire/schemas/root.ts';
import { centralCas } from '../../agent/trust/central-cas.ts';
import type { PinnedRoot } from '../../agent/trust/root.ts';
import { backupCa, caInUse } from '../service/ca-in-use.ts';
import type { TrustState } from '../service/trust-state.ts';
import { newToken } from '../service/enrolment-token.ts';
import { print, when, type Common } from './output.ts';
import { tokenDays } from './token.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly site?: string;
  readonly days?: number;
  readonly url?: string;
  readonly claimUrl?: string;
  /** False with --no-token. */
  readonly token: boolean;
  /** Of the trust root on the stick; without it the newest. */
  readonly rootVersion?: number;
}

/**
 * What a device needs to know before it talks to anyone. The token is for one device: one stick each. Without one the files are
 * the same for every device of the partner: people tie it to a site by its label or a claim code.
 */
export async function writeUsb(dir: string, o: Options): Promise<void> {
  const days = tokenDays(o.days);
  await withRecords(o, async (records) => {
    const url = (o.url ?? records.store.setting('public_url'))?.replace(/\/+$/, '');
    if (url === undefined) throw new AgentError('central_url_unknown', 'the address of Central Command is not known');
    if (!v.is(partnerSchema.entries.central_url, url))
      throw new AgentError('usage', '--url is no plain https:// address');
    const root = rootOf(records.trust, o.rootVersion);
    const { caPem, pin } = caInUse(resolve(o.data), records.store);
    const backup = backupCa(records.store);
    mkdirSync(dir, { recursive: true });
    refuseWritten(dir);
    const made = o.token ? { site: siteOf(o), ...newToken(records, siteOf(o), days) } : null;
    const forWhom = made === null ? null : `one device of ${made.site}, until ${when(made.expiresAt)}`;
    const files = {
      'clinic.yaml': clinicYaml({
        comment:
          made === null
            ? 'Enrolment of any device of the partner: tied to its site by serial number, MAC address or claim code.'
            : `Enrolment of ${forWhom}. The token is overwritten once it was used.`,
        centralUrl: url,
        token: made?.token,
        claimUrl: o.claimUrl,
        rootSha256: root.digest,
        caPins: [pin, backup.pin],
      }),
      'root.json': `${root.line}\n`,
      'ca.pem': caPem + (backup.pem ?? ''),
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });
    const warnings: ErrorCode[] = [
      ...(backup.pem === null ? (['backup_certificate_missing'] as const) : []),
      ...(lacksOne(root.root, [pin, backup.pin]) ? (['ca_not_in_root'] as const) : []),
    ];
    print(
      o,
      {
        dir: resolve(dir),
        site_id: made?.site ?? null,
        central_url: url,
        root_sha256: root.digest,
        expires_at: made?.expiresAt ?? null,
        warnings,
      },
      [
        `clinic.yaml, root.json and ca.pem written to ${resolve(dir)} (${forWhom ?? 'any device; no token'})`,
        ...warnings.map((code) => `${code}: ${CODES[code].when}`),
      ].join('\n'),
    );
  });
}

/** An appliance that was made for a root takes no stick with another: it begins with its own, and walks to newer ones from there. @throws usage */
function rootOf(trust: TrustState, version: number | undefined): PinnedRoot {
  const roots = [trust.root(), ...trust.earlierRoots()];
  const found = roots.find(({ root }) => version === undefined || root.version === version);
  if (found !== undefined) return found;
  throw new AgentError('usage', `--root-version: the trust roots have the versions 1 to ${trust.root().root.version}`);
}

/** A root that names CAs takes the place of what the stick names, once the device is enrolled. */
function lacksOne(root: Root, pins: readonly string[]): boolean {
  const named = centralCas(root).map((ca) => ca.pin);
  return named.length > 0 && !pins.every((pin) => named.includes(pin));
}

/** @throws usage */
function siteOf({ site }: Options): string {
  if (site === undefined)
    throw new AgentError('usage', '--site is needed for a token; --no-token makes a stick without');
  return site;
}

/** A stick with an unused token is not overwritten: nobody would know which device it was meant for. */
function refuseWritten(dir: string): void {
  let text: string;
  try {
    text = readFileSync(join(dir, 'clinic.yaml'), 'utf8');
  } catch {
    return;
  }
  if (/^token: "[A-Za-z0-9+/]{43}="$/m.test(text)) {
    throw new AgentError('central_exists', 'the folder holds a clinic.yaml with a token already', {
      place: join(dir, 'clinic.yaml'),
      remedy: 'name an empty folder, or remove the file',
    });
  }
}

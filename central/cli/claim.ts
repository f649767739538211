import { userInfo } from 'node:os';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { claimCodeText, parseTypedClaim } from '../../agent/wire/claim-code.ts';
import { approveClaim, newClaimCode } from '../service/claim-codes.ts';
import { unlockClaims } from '../service/claim-lock.ts';
import { print, table, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Who {
  readonly by?: string;
  readonly address?: string;
}

/** Who sits at this shell, where nobody else is named. */
export const shellAccount = (): string => userInfo().username;

/** Where the shell's user comes from; `local` at the machine itself. */
const shellAddress = (): string => process.env['SSH_CONNECTION']?.split(' ')[0] ?? 'local';

export async function printClaimCode(o: Common & WithData & Who & { site: string }): Promise<void> {
  await withRecords(o, (records) => {
    const { code, expiresAt } = newClaimCode(records, o.site, o.by ?? shellAccount());
    const text = claimCodeText(code);
    print(
      o,
      { code: text, site_id: o.site, expires_at: expiresAt },
      `${text}\n(for one device of ${o.site}, until ${when(expiresAt)}; not shown again)`,
    );
  });
}

export async function approveOne(typed: string, o: Common & WithData & Who & { site: string }): Promise<void> {
  await withRecords(o, (records) => {
    const claim = parseTypedClaim(typed);
    if (claim === null) throw new AgentError('claim_code_malformed', 'this is neither a claim code nor an alias');
    const who = { account: o.by ?? shellAccount(), address: o.address ?? shellAddress() };
    const device = approveClaim(records, claim, { ...who, siteId: o.site });
    const { fingerprint, serial, state, site_id } = device;
    print(
      o,
      { fingerprint, serial, state, site_id },
      state === 'confirmed'
        ? `${device.appliance_id ?? ''} is enrolled at ${site_id} (its serial number is confirmed by the site policy)`
        : `the device with fingerprint ${fingerprint} (serial ${serial ?? 'unknown'}) waits at ${site_id}; compare, then: central-command appliance confirm ${fingerprint}`,
    );
  });
}

export async function unlock(o: Common & WithData & Who & { account?: string }): Promise<void> {
  const { account, address } = o;
  if ((account === undefined) === (address === undefined)) {
    throw new AgentError('usage', 'name what is locked: --account or --address');
  }
  await withRecords(o, (records) => {
    const kind = account === undefined ? 'address' : 'account';
    const name = account ?? address ?? '';
    unlockClaims(records, kind, name, o.by ?? shellAccount());
    print(o, { kind, name }, `the ${kind} ${name} may try claim codes again`);
  });
}

export async function listClaims(o: Common & WithData): Promise<void> {
  await withRecords(o, ({ store, now }) => {
    const codes = store.claims.codes().map((row) => ({ ...row, open: row.used_at === null && row.expires_at > now() }));
    const locked = store.claims.locked(now());
    const rows = table(
      ['MADE BY', 'ALIAS', 'SITE', 'STATE', 'MADE', 'USED BY'],
      codes.map((row) => [
        row.made_by,
        // The alias of a printed code is not shown to be typed.
        row.made_by === 'device' && row.open ? row.alias : '-',
        row.site_id ?? '-',
        row.open ? 'open' : row.used_at === null ? 'ended' : 'used',
        when(row.created_at),
        row.used_by ?? '-',
      ]),
    );
    const locks = locked.map(({ kind, name, locked_until: until }) => `locked: ${kind} ${name} until ${when(until)}`);
    print(o, { codes, locked }, [rows, ...locks].join('\n'));
  });
}

import { AgentError } from '../../agent/errors/agent-error.ts';
import { expectMachine, forgetMachine, hardwareName } from '../service/expected-machines.ts';
import type { HardwareKind } from '../store/claim-table.ts';
import { shellAccount } from './claim.ts';
import { print, table, when, type Common } from './output.ts';
import { tokenDays } from './token.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Named {
  readonly mac?: string;
  readonly serial?: string;
  readonly by?: string;
}

/** @throws usage unless exactly one of the two is there */
function hardwareOf({ mac, serial }: Named): [HardwareKind, string] {
  if (mac !== undefined && serial === undefined) return ['mac', hardwareName('mac', mac)];
  if (serial !== undefined && mac === undefined) return ['serial', hardwareName('serial', serial)];
  throw new AgentError('usage', 'name the machine by --mac or by --serial');
}

export async function expectOne(o: Common & WithData & Named & { site: string; days?: number }): Promise<void> {
  const [kind, value] = hardwareOf(o);
  const days = tokenDays(o.days);
  await withRecords(o, (records) => {
    const person = o.by ?? shellAccount();
    const { expiresAt } = expectMachine(records, kind, value, { siteId: o.site, days, person });
    print(
      o,
      { kind, value, site_id: o.site, expires_at: expiresAt },
      `the machine with ${kind} ${value} may wait for approval at ${o.site} until ${when(expiresAt)}`,
    );
  });
}

export async function forgetOne(o: Common & WithData & Named): Promise<void> {
  const [kind, value] = hardwareOf(o);
  await withRecords(o, (records) => {
    forgetMachine(records, kind, value, o.by ?? shellAccount());
    print(o, { kind, value }, `the machine with ${kind} ${value} is expected no more`);
  });
}

/** Machines that are expected, and devices that wait and belong to no site yet. */
export async function listEnrolment(o: Common & WithData): Promise<void> {
  await withRecords(o, ({ store }) => {
    const expected = store.claims.expectations();
    const waiting = store.claims.waiting().filter((row) => store.enrolments.byDevice(row.device_spki) === null);
    const machines = table(
      ['EXPECTED', 'NUMBER', 'SITE', 'BY', 'UNTIL', 'USED'],
      expected.map((row) => [
        row.kind,
        row.value,
        row.site_id,
        row.registered_by,
        when(row.expires_at),
        when(row.used_at),
      ]),
    );
    const devices = table(
      ['WAITING', 'SERIAL', 'NETWORK CARDS', 'AGENT', 'LAST CLAIM'],
      waiting.map((row) => [
        row.fingerprint,
        row.serial ?? '-',
        row.macs === '' ? '-' : row.macs,
        row.agent_version,
        when(row.last_claim_at),
      ]),
    );
    const shown = waiting.map(({ csr: _csr, ...row }) => ({ ...row, macs: row.macs.split(' ').filter(Boolean) }));
    print(o, { expected, waiting: shown }, `${machines}\n\n${devices}`);
  });
}

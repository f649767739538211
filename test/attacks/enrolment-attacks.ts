// What strangers, thieves and careless technicians try at the door of Central Command. Each is shown beside the honest act that it
// differs from in one thing. Rows of docs/threat-model.md.
import { randomBytes } from 'node:crypto';
import { claimAlias, claimCodeText, type TypedClaim } from '../../agent/wire/claim-code.ts';
import { isAgentError } from '../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import type { Claim } from '../../agent/wire/schemas/enrolment.ts';
import type { Records } from '../../central/service/central.ts';
import { approveClaim } from '../../central/service/claim-codes.ts';
import { newToken as tokenFor } from '../../central/service/enrolment-token.ts';
import { expectMachine } from '../../central/service/expected-machines.ts';
import { decommissionAppliance } from '../../central/service/revoke-appliance.ts';
import type { AlarmKind } from '../../central/store/alarm-table.ts';
import type { RunningCentral, TestCentral } from '../support/central-process.ts';
import { claim, enrolDevice, makeDevice, postCheckin, type Device } from '../support/device.ts';

export interface DoorTools {
  readonly central: TestCentral;
  readonly server: RunningCentral;
  /** What people do past the command line, which takes its time to start. */
  readonly records: Records;
}

export interface EnrolmentAttack {
  readonly what: string;
  /** What it meets; null: it waits like anybody, and learns nothing. */
  readonly code: ErrorCode | null;
  /** What people are shown of it. */
  readonly leaves: AlarmKind | null;
  /** Does the honest act and the attack. @returns the code that the attack met, null where it waits */
  readonly run: (t: DoorTools) => Promise<string | null>;
}

const newCode = (): string => randomBytes(16).toString('hex');
const serial = (): string => `SN-${randomBytes(6).toString('hex').toUpperCase()}`;

/** Sends a claim without a token. @returns its status, or the code of a refusal */
async function ask({ central, server }: DoorTools, device: Device, change: Partial<Claim>): Promise<string | null> {
  const answer = await claim(central, server.url, device, '', { token: undefined, ...change });
  return answer.status === 'pending' ? null : (answer.code ?? answer.status);
}
const byToken = async ({ central, server }: DoorTools, device: Device, token: string, change: Partial<Claim> = {}) => {
  const answer = await claim(central, server.url, device, token, change);
  return answer.status === 'pending' ? null : (answer.code ?? answer.status);
};
const newToken = ({ records }: DoorTools, site = 'north'): string => tokenFor(records, site, 1).token;
const expected = ({ records }: DoorTools, number: string): void =>
  void expectMachine(records, 'serial', number, { siteId: 'north', days: 1, person: 'jane' });
/** @returns the code of a refusal, null where the device is tied */
function approve({ records }: DoorTools, typed: TypedClaim, account: string): string | null {
  try {
    approveClaim(records, typed, { account, address: `addr-${account}`, siteId: 'north' });
    return null;
  } catch (error) {
    if (isAgentError(error)) return error.code;
    throw error;
  }
}
/** The same as a process of its own. */
async function approveByProcess(
  { central }: DoorTools,
  typed: string,
  account: string,
  site: string,
): Promise<string | null> {
  const args = ['claim', 'approve', typed, '--site', site, '--by', account, '--address', `addr-${account}`, '--json'];
  const { code, stderr } = await central.cli(...args);
  return code === 0 ? null : (JSON.parse(stderr) as { code: string }).code;
}
const isTied = ({ records }: DoorTools, device: Device): boolean =>
  records.store.enrolments.byDevice(device.signer.spki) !== null;
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the honest act failed: ${what}`);
}

export const ENROLMENT_ATTACKS: readonly EnrolmentAttack[] = [
  {
    what: 'claim codes guessed by a technician, until account and address are locked',
    code: 'claim_locked',
    leaves: 'claim_locked',
    run: async (t) => {
      const [device, code] = [await makeDevice(), newCode()];
      await ask(t, device, { source: 'qr', code });
      for (let i = 0; i < 5; i++)
        must(approve(t, { alias: claimAlias(newCode()) }, 'eve') === 'claim_unknown', 'wrong');
      const met = approve(t, { alias: claimAlias(code) }, 'eve');
      must(approve(t, { alias: claimAlias(code) }, 'tom') === null && isTied(t, device), 'another technician');
      return met;
    },
  },
  {
    what: 'two technicians who race for the device that shows one code',
    code: 'claim_unknown',
    leaves: null,
    run: async (t) => {
      const [device, code] = [await makeDevice(), newCode()];
      await ask(t, device, { source: 'qr', code });
      const text = claimCodeText(code);
      const met = await Promise.all([
        approveByProcess(t, text, 'ann', 'north'),
        approveByProcess(t, text, 'ben', 'south'),
      ]);
      must(met.filter((one) => one === null).length === 1 && isTied(t, device), 'one of them gets it');
      return met.find((one) => one !== null) ?? null;
    },
  },
  {
    what: 'a claim code of yesterday, or one that was used',
    code: 'claim_unknown',
    leaves: null,
    run: async (t) => {
      const [device, code] = [await makeDevice(), newCode()];
      await ask(t, device, { source: 'qr', code });
      must(approve(t, { code }, 'ann') === null, 'the first use');
      return approve(t, { code }, 'ann');
    },
  },
  {
    what: 'a claim code read off the screen and registered by another device',
    code: null,
    leaves: 'claim_code_reused',
    run: async (t) => {
      const [device, thief, code] = [await makeDevice(), await makeDevice(), newCode()];
      await ask(t, device, { source: 'qr', code });
      const met = await ask(t, thief, { source: 'qr', code });
      must(approve(t, { alias: claimAlias(code) }, 'ann') === null && isTied(t, device), 'its own device');
      must(!isTied(t, thief), 'the thief is at no site');
      return met;
    },
  },
  {
    what: 'a box that claims under the serial number of another',
    code: null,
    leaves: 'enrolment_contested',
    run: async (t) => {
      const [device, copy, number] = [await makeDevice(), await makeDevice(), serial()];
      expected(t, number);
      const hardware = { serial: number, macs: [] };
      must((await ask(t, device, { source: 'mac', hardware })) === null && isTied(t, device), 'the real box');
      return await ask(t, copy, { source: 'mac', hardware });
    },
  },
  {
    what: 'a stranger who asks which serial numbers and codes there are',
    code: null,
    leaves: null,
    run: async (t) => {
      const [known, stranger, number] = [await makeDevice(), await makeDevice(), serial()];
      expected(t, number);
      const of = (name: string) => ({ source: 'mac' as const, hardware: { serial: name, macs: [] } });
      must((await ask(t, known, of(number))) === null && isTied(t, known), 'the known box');
      return (await ask(t, stranger, of(serial()))) ?? (await ask(t, stranger, { source: 'qr', code: newCode() }));
    },
  },
  {
    what: 'one token used by two devices at the same moment',
    code: 'enrolment_token_used',
    leaves: 'enrolment_token_used',
    run: async (t) => {
      const [one, other, token] = [await makeDevice(), await makeDevice(), newToken(t)];
      const met = await Promise.all([byToken(t, one, token), byToken(t, other, token)]);
      must(met.filter((code) => code === null).length === 1, 'one of them waits');
      return met.find((code) => code !== null) ?? null;
    },
  },
  {
    what: 'a token for another site than the one that the device belongs to',
    code: 'enrolment_other_site',
    leaves: null,
    run: async (t) => {
      const device = await makeDevice();
      must((await byToken(t, device, newToken(t))) === null, 'a token of its own site');
      return await byToken(t, device, newToken(t, 'south'));
    },
  },
  {
    what: 'the TLS key exchanged in a claim (SPKI swap)',
    code: 'csr_invalid',
    leaves: null,
    run: async (t) => {
      const [device, other, token] = [await makeDevice(), await makeDevice(), newToken(t)];
      must((await byToken(t, device, token)) === null, 'its own key');
      return await byToken(t, device, token, { tls_spki: other.tlsSpki });
    },
  },
  {
    what: 'a token beside a source that takes none',
    code: 'enrolment_source_unsupported',
    leaves: null,
    run: async (t) => {
      const [device, token] = [await makeDevice(), newToken(t)];
      must((await byToken(t, device, token)) === null, 'source usb');
      return await byToken(t, device, token, { source: 'qr', code: newCode() });
    },
  },
  {
    what: 'an appliance that reads no answer of this Central Command',
    code: 'answer_schema_unknown',
    leaves: null,
    run: async (t) => {
      const me = await enrolDevice(t.central, t.server.url, `versions-${randomBytes(4).toString('hex')}`);
      const check = (accepts: string[]) => postCheckin(t.central, t.server.url, me, { change: { accepts } });
      const both = await check(['compliance-agent/checkin-answer/v9', 'compliance-agent/checkin-answer/v1']);
      must(both.status === 200, 'a newer agent that reads both');
      must((await check(['compliance-agent/checkin-answer/v1'])).status === 200, 'an older agent');
      return (await check(['compliance-agent/checkin-answer/v9'])).code;
    },
  },
  {
    what: 'an appliance that was taken out of service and goes on asking',
    code: 'appliance_decommissioned',
    leaves: null,
    run: async (t) => {
      const name = `retired-${randomBytes(4).toString('hex')}`;
      const me = await enrolDevice(t.central, t.server.url, name);
      must((await postCheckin(t.central, t.server.url, me)).status === 200, 'while it serves');
      decommissionAppliance(t.records, name, { reason: 'closed', person: 'jane' });
      return (await postCheckin(t.central, t.server.url, me)).code;
    },
  },
];

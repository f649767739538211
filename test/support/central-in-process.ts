// A Central Command without its HTTP border, on a clock that the test moves.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Central } from '../../central/service/central.ts';
import { openCentral } from '../../central/service/central.ts';
import { createCentral } from '../../central/service/create-central.ts';
import { bindingFor } from '../../central/service/bind-appliance.ts';
import { confirmDevice } from '../../central/service/confirm-appliance.ts';
import { certificateFor } from '../../central/service/device-certificate.ts';
import { fingerprint } from '../../agent/wire/fingerprint.ts';
import type { EnrolmentRow } from '../../central/store/enrolment-table.ts';
import { makeDevice, type Device, type Enrolled } from './device.ts';

export const START = 1_790_000_000;

export interface InProcessCentral extends Central {
  readonly dataDir: string;
  readonly keysDir: string;
  /** Moves its clock. */
  advance(seconds: number): void;
  close(): void;
  /** Closes and opens it again, as a restart does. */
  reopen(): Promise<InProcessCentral>;
  remove(): void;
}

/**
 * @param startAt its first moment; a real one where real TLS is to judge certificates
 * @param persons who hold root, content and operator keys
 */
export async function makeInProcessCentral(
  startAt = START,
  persons: readonly { id: string; name: string }[] = [{ id: 'jane', name: 'Jane' }],
): Promise<InProcessCentral> {
  const dir = mkdtempSync(join(tmpdir(), 'central-unit-'));
  const [dataDir, keysDir] = [join(dir, 'data'), join(dir, 'keys')];
  const made = { partnerId: 'acme', logDomain: 'acme.internal', direct: false, persons, now: startAt };
  await createCentral({ dataDir, keysDir, ...made });
  let now = startAt;
  const start = async (): Promise<InProcessCentral> => {
    const central = await openCentral(dataDir, { now: () => now });
    return {
      ...central,
      dataDir,
      keysDir,
      advance: (seconds) => void (now += seconds),
      reopen: async () => {
        central.close();
        return await start();
      },
      remove: () => {
        central.close();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  };
  const central = await start();
  central.store.appliances.addSite({ site_id: 'north', customer_id: 'clinic' }, startAt);
  return central;
}

/** A confirmed, bound appliance with a certificate; no claim is sent. */
export async function bindDevice(central: Central, applianceId: string, own?: Device): Promise<Enrolled> {
  const device = own ?? (await makeDevice());
  const { enrolments } = central.store;
  enrolments.claim(
    {
      device_spki: device.signer.spki,
      site_id: 'north',
      tls_spki: device.tlsSpki,
      csr: device.csr,
      fingerprint: fingerprint(device.signer.spki, central.trust.root().digest),
      serial: null,
      agent_version: '0.1.0',
    },
    central.now(),
  );
  const pending = enrolments.byDevice(device.signer.spki) as EnrolmentRow;
  confirmDevice(central, pending, { approver: 'jane', applianceId });
  const binding = bindingFor(central, enrolments.byDevice(device.signer.spki) as EnrolmentRow);
  return {
    device,
    applianceId,
    siteId: 'north',
    origin: binding.origin,
    epoch: binding.epoch,
    bindingLine: binding.line,
    tls: { cert: await certificateFor(central, binding), key: device.tlsKeyPem },
  };
}

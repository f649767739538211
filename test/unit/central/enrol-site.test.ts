import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { payloadDigest, signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope, envelopeFromEmbedded } from '../../../agent/wire/dsse.ts';
import type { Claim } from '../../../agent/wire/schemas/enrolment.ts';
import { openBinding } from '../../../agent/trust/binding.ts';
import { openDocument } from '../../../agent/trust/open-document.ts';
import { personSigners } from '../../../central/keys/person-keys.ts';
import { enrol } from '../../../central/service/enrol.ts';
import { newToken, tokenDigest } from '../../../central/service/enrolment-token.ts';
import { makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';
import { claimOf, makeDevice, type Device } from '../../support/device.ts';

const SERIAL = 'SN-AUTO';
let central: InProcessCentral;
let device: Device;
beforeEach(async () => {
  central = await makeInProcessCentral();
  central.store.appliances.addSite({ site_id: 'south', customer_id: 'other-clinic' }, central.now());
  device = await makeDevice();
});
afterEach(() => central.remove());

const tokenOf = (site: string): string => newToken(central, site, 1).token;
const claimWith = async (token: string, change: Partial<Claim> = {}) => {
  const claim = claimOf(device, token, { hardware: { serial: SERIAL, macs: [] }, ...change });
  const line = await enrol(central, Buffer.from(encodeEnvelope(signDocument('claim', claim, [device.signer]))));
  return openDocument(central.trust.root().root, 'timestamp', 'claimAnswer', line).value;
};
/** The site's signed policy: it confirms SERIAL by itself. */
async function autoConfirm(site: string): Promise<void> {
  const { root } = central.trust.root();
  const envelope = signDocument(
    'sitePolicy',
    {
      schema: 'compliance-agent/site-policy/v1',
      partner_id: root.partner_id,
      site_id: site,
      version: 1,
      issued_at: central.now(),
      time_zone: 'Etc/UTC',
      windows: [],
      allow_disruptive_outside_window: false,
      healing: { mode: 'off', runbooks: [] },
      target_networks: [],
      waivers: [],
      outputs: [],
      llm: null,
      timestamp_authority: null,
      auto_confirm: [SERIAL],
      confirmations: [],
      retention_years: 7,
    },
    (await personSigners(central.keysDir, 'operator', root)).map(({ signer }) => signer),
  );
  const [line, digest] = [encodeEnvelope(envelope), payloadDigest(envelope)];
  central.store.documents.add({ kind: 'policy', scope: site, version: 1, digest, line }, central.now());
}

describe('a device that is known at one site and claims with the token of another', () => {
  it('is not confirmed into its own site by the policy of the other one, and stays pending', async () => {
    await autoConfirm('south');
    const own = tokenOf('north');
    expect((await claimWith(own)).status).toBe('pending');
    expect(await claimWith(tokenOf('south'))).toMatchObject({ status: 'refused', code: 'enrolment_other_site' });
    expect(central.store.enrolments.byDevice(device.signer.spki)).toMatchObject({
      site_id: 'north',
      state: 'pending',
      appliance_id: null,
    });
    expect((await claimWith(own)).status).toBe('pending');
  });

  it('leaves that token to the device that it was written for', async () => {
    await claimWith(tokenOf('north'));
    const foreign = tokenOf('south');
    await claimWith(foreign);
    expect(central.store.enrolments.token(tokenDigest(foreign))?.device_spki).toBeNull();
    device = await makeDevice();
    expect((await claimWith(foreign)).status).toBe('pending');
    expect(central.store.enrolments.byDevice(device.signer.spki)?.site_id).toBe('south');
  });

  it('is refused after its confirmation too, and answered as before with a token of its own site', async () => {
    await autoConfirm('north');
    const { enrolled } = await claimWith(tokenOf('north'));
    const foreign = tokenOf('south');
    expect(await claimWith(foreign)).toMatchObject({ status: 'refused', code: 'enrolment_other_site' });
    expect(central.store.enrolments.token(tokenDigest(foreign))?.device_spki).toBeNull();
    const again = await claimWith(tokenOf('north'));
    expect(again.enrolled).toEqual(enrolled);
    const binding = openBinding(central.trust.root().root, envelopeFromEmbedded(again.enrolled!.binding)).value;
    expect([binding.site_id, binding.approver]).toEqual(['north', 'auto-confirm']);
  });
});

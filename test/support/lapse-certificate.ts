// A box that was off for longer than its certificate lives.
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { loadAuthority } from '../../central/ca/certificate-authority.ts';
import { APPLIANCE, type Site } from '../../tools/demo/site.ts';

const DAY_S = 86_400;

/** The certificate (PEM) that a site's appliance holds; its daemon may run. */
export function heldCertificate(site: Site): string {
  const store = openStore({ dir: site.paths.state, clock: systemClock, readOnly: true });
  try {
    return store.trust.identity()!.certificatePem;
  } finally {
    store.close();
  }
}

/** Puts a certificate of so many days ago into the store of a daemon that does not run, as if nothing had run since. @returns it */
export async function lapseCertificate(site: Site, daysOff: number): Promise<string> {
  const store = openStore({ dir: site.paths.state, clock: systemClock });
  try {
    const identity = store.trust.identity()!;
    const { publicKey } = new X509Certificate(identity.certificatePem);
    const authority = await loadAuthority(join(site.paths.data, 'keys'));
    const { pem } = await authority.issueDevice({
      applianceId: APPLIANCE,
      spki: publicKey.export({ type: 'spki', format: 'der' }),
      now: Math.floor(Date.now() / 1_000) - daysOff * DAY_S,
    });
    store.trust.saveIdentity({ ...identity, certificatePem: pem });
    return pem;
  } finally {
    store.close();
  }
}

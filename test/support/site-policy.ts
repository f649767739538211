// A signed site policy in a Central Command without its HTTP border.
import { payloadDigest, signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import type { SitePolicy } from '../../agent/wire/schemas/site-policy.ts';
import { personSigners } from '../../central/keys/person-keys.ts';
import type { InProcessCentral } from './central-in-process.ts';

/** Version 1 for the site, signed by its operators, in force at once. */
export async function publishPolicy(
  central: InProcessCentral,
  site: string,
  change: Partial<SitePolicy> = {},
): Promise<void> {
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
      auto_confirm: [],
      confirmations: [],
      retention_years: 7,
      ...change,
    },
    (await personSigners(central.keysDir, 'operator', root)).map(({ signer }) => signer),
  );
  const [line, digest] = [encodeEnvelope(envelope), payloadDigest(envelope)];
  central.store.documents.add({ kind: 'policy', scope: site, version: 1, digest, line }, central.now());
}

import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { id } from '../../agent/wire/schemas/primitives.ts';
import { print, table, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface AddOptions extends Common, WithData {
  readonly customer: string;
}

/** Adding the same site again changes nothing. */
export async function addSite(siteId: string, o: AddOptions): Promise<void> {
  for (const text of [siteId, o.customer]) {
    if (!v.safeParse(id, text).success)
      throw new AgentError('usage', `${text} is no id (lower-case letters, digits, hyphens)`);
  }
  await withRecords(o, ({ store, now }) => {
    const known = store.appliances.site(siteId);
    if (known !== null && known.customer_id !== o.customer) {
      throw new AgentError('site_exists', `site ${siteId} belongs to ${known.customer_id}`);
    }
    if (known === null) store.appliances.addSite({ site_id: siteId, customer_id: o.customer }, now());
    print(o, { site_id: siteId, customer_id: o.customer }, `site ${siteId} of customer ${o.customer}`);
  });
}

export async function listSites(o: Common & WithData): Promise<void> {
  await withRecords(o, ({ store }) => {
    const sites = store.appliances.sites();
    print(
      o,
      { sites },
      table(
        ['SITE', 'CUSTOMER'],
        sites.map((site) => [site.site_id, site.customer_id]),
      ),
    );
  });
}
